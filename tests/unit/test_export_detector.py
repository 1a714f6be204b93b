"""A detector in a bundle: of the classifier's size, never reduced; and RAIN's disagreement as a score of its own."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from torch import Generator
from typer.testing import CliRunner

from edge.classifier import Classifier
from edge.manifest import Detector as Described
from edge.provenance import Training
from export.checkpoint import export_classifier
from export.description import detector_in_words
from export.graph import DeployedClassifier
from export.onnx import to_onnx
from export.parity import compare, difference, open_cpu
from export.reduce import scoring_nodes, to_fp16, to_int8, weighty_nodes
from natadv.batches import to_batch
from natadv.defenses.rain import Rain
from natadv.detection.checkpoint import Built, LoadedDetector
from natadv.detection.detector import BINARY, Detector
from natadv.detection.disagreement import disagreement_of
from natadv.detection.light import LightNetwork
from natadv.detection.thresholds import Threshold
from natadv.detection_cli import app
from natadv.errors import BundleError, ConfigError
from natadv.evaluation.rates import Rate
from natadv.models.classifier import create_classifier
from natadv.models.super_resolution.create import create_super_resolution
from natadv.training.checkpoint import load_classifier, save_checkpoint
from natadv.training.rain.checkpoint import load_network, save_network
from tests.drawn_bank import write_bank
from tests.tiny_checkpoint import tiny_checkpoint

SIDE, LABELS = 16, ("a", "b", "c")
CHOSEN = Threshold(0.5, 0.01, Rate(1, 150), 120)


def frames(count):
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def classifier():
    torch.manual_seed(0)
    return create_classifier("natadv_slim", LABELS, (SIDE, SIDE), stem=4, widths=(4, 8, 8)).eval()


def light():
    torch.manual_seed(1)
    return Detector(LightNetwork(2), classes=BINARY, size_px=SIDE).eval()


def loaded(detector, threshold=CHOSEN):
    return LoadedDetector(
        model=detector, built=Built("light"), threshold=threshold, metrics={"auc": 0.9, "auc_interval": [0.8, 1.0]},
        recipe={"epochs": 3}, provenance={
            "held_back": {"clean": 150, "pgd": 10}, "bank": "bank", "data": "/home/me/signs", "kinds": {"clean": 600},
        }, digest="d" * 64, training=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported():
    deployed = DeployedClassifier(classifier(), input_size=(SIDE, SIDE), detector=light().folded()).eval()
    return deployed, to_onnx(deployed, labels=LABELS, input_size=(SIDE, SIDE))


def test_reduced_the_model_has_the_detector_that_it_had(exported):
    deployed, data = exported
    comparison = compare(deployed, data, [frames(12)])
    (before,) = open_cpu(data).run(["score"], {"frames": frames(12)})
    np.testing.assert_allclose(
        before, torch.sigmoid(light()(to_batch(frames(12), torch.device("cpu")))).detach(), atol=1e-5
    )
    model = onnx.load_from_string(data)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    of_score, reduced = set(scoring_nodes(model)), set(weighty_nodes(model, "all"))
    assert len(of_score & set(convolutions)) == 3
    assert not of_score & reduced
    assert set(convolutions) <= of_score | reduced
    for smaller in (to_fp16(data), to_fp16(data, part="classifier"), to_int8(data, [{"frames": frames(12)}])):
        logits, after = open_cpu(smaller).run(["logits", "score"], {"frames": frames(12)})
        np.testing.assert_allclose(after, before, atol=1e-5)
        assert (logits != comparison.logits).any()
        assert 0 < difference(smaller, frames(12), comparison) < 1


def test_a_detector_that_answers_otherwise_is_not_written(exported):
    _, data = exported
    other = light()
    other.calibrate(1.0, 0.3)
    deployed = DeployedClassifier(classifier(), input_size=(SIDE, SIDE), detector=other).eval()
    with pytest.raises(BundleError, match="differs from the torch model"):
        compare(deployed, data, [frames(4)])
    comparison = compare(deployed, to_onnx(deployed, labels=LABELS, input_size=(SIDE, SIDE)), [frames(4)])
    with pytest.raises(BundleError, match="detector gives scores that differ"):
        difference(data, frames(4), comparison)


def test_a_detector_of_another_size_or_half_trained_is_refused(tmp_path):
    checkpoint = tiny_checkpoint(classifier(), LABELS, (SIDE, SIDE))
    larger = Detector(LightNetwork(2), classes=BINARY, size_px=24).eval()
    with pytest.raises(ConfigError, match="images of 24x24 px, the classifier takes 16x16"):
        export_classifier(checkpoint, tmp_path / "bundle", detector=loaded(larger), least_images=0)
    with pytest.raises(ConfigError, match="training is not over"):
        export_classifier(checkpoint, tmp_path / "bundle", detector=loaded(light(), threshold=None), least_images=0)
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_knows_whose_detector_it_has(tmp_path):
    checkpoint = tiny_checkpoint(classifier(), LABELS, (SIDE, SIDE))
    manifest = export_classifier(
        checkpoint, tmp_path / "bundle", detector=loaded(light()), least_images=0
    ).bundle.manifest
    assert manifest.detector.checkpoint_sha256 == "d" * 64
    assert manifest.detector.training.method == "light, 3 epochs, clean or adversarial"
    assert manifest.detector.training.data == "bank, of .../signs: images 600 clean"
    assert manifest.metrics["detector_auc"] == 0.9
    assert manifest.metrics["detector_false_alarms"] == 1 / 150
    assert "score" in manifest.outputs
    with Classifier(tmp_path / "bundle", device="cpu") as opened:
        assert opened.described.endswith(f", a detector, alarm above {manifest.detector.threshold:.3g}")


def test_what_is_said_of_false_alarms_is_what_was_promised(tmp_path):
    """A former version's threshold took each image for another thing; the card must not promise more for it."""
    checkpoint, said = tiny_checkpoint(classifier(), LABELS, (SIDE, SIDE)), []
    for name, kin in (("new", 120), ("former", None)):
        detector = loaded(light(), replace(CHOSEN, kin=kin))
        made = export_classifier(checkpoint, tmp_path / name, detector=detector, least_images=0)
        said.append(detector_in_words(made.bundle.manifest))
        assert ("on what it has not seen" in (tmp_path / name / "card.md").read_text()) == (kin is not None)
    assert "1 % false alarms on what it has not seen (0.7 % [" in said[0]
    assert "of 150 clean images, of 120 sources, held back)" in said[0]
    assert "1 % false alarms (0.7 % [" in said[1] and "of 150 clean images held back)" in said[1]


def test_a_manifest_of_a_detector_without_its_training_is_written_as_before():
    described = Described(checkpoint_sha256="d" * 64, threshold=0.75, false_alarms=0.01)
    assert set(described.model_dump(mode="json")) == {"checkpoint_sha256", "threshold", "false_alarms"}
    training = Training(data="bank", method="light", natadv_version="0", settings={}, materials={})
    assert described.model_copy(update={"training": training}).model_dump(mode="json")["training"]["data"] == "bank"


def test_the_disagreement_is_that_of_the_graph():
    torch.manual_seed(2)
    rain, bare = Rain(create_super_resolution("compact:4x2").eval(), share=0.3).eval(), classifier()
    score = disagreement_of(rain, bare, draws=3, seed=7)
    noise = rain.draw(5 * 3, (SIDE, SIDE), Generator().manual_seed(7))
    deployed = DeployedClassifier(bare, rain=rain, input_size=(SIDE, SIDE), draws=3).eval()
    with torch.no_grad():
        *_, expected = deployed(
            torch.from_numpy(frames(5)),
            pick=noise.pick.reshape(5, -1, *noise.pick.shape[2:]).int(),
            shift=noise.shift.reshape(5, -1).int(),
        )
    np.testing.assert_allclose(score(frames(5)), expected, atol=1e-5)
    assert (score(frames(5)) == score(frames(5))).all()
    assert score(frames(5)).min() > 0
    with pytest.raises(ValueError, match="two draws or more"):
        disagreement_of(rain, bare, draws=1)


def test_disagreement_is_measured_on_a_bank_for_the_classifier_that_rain_was_tuned_for(tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", classifier(), metrics={}, recipe={}, provenance={})
    digest = load_classifier(tmp_path / "checkpoint.pt").digest[:12]
    torch.manual_seed(2)
    for name, tuned_for in (("rain.pt", f"checkpoint.pt sha256 {digest}"), ("other.pt", "checkpoint.pt sha256 aaaa")):
        save_network(
            tmp_path / name, create_super_resolution("compact:4x2"), name="compact:4x2", recipe={"share": 0.3},
            metrics={}, provenance={"classifier": tuned_for},
        )  # fmt: skip
    flat = np.broadcast_to(np.arange(0, 240, 12, dtype=np.uint8)[:, None, None, None], (20, SIDE, SIDE, 3))
    write_bank(tmp_path / "bank", {part: {"clean": flat, "noise": frames(20)} for part in ("train", "test")})
    given = ["disagreement", tmp_path / "checkpoint.pt", tmp_path / "bank", "--out", tmp_path / "out", "--draws", 3]
    given += ["--false-alarms", 0.1, "--device", "cpu", "--rain"]
    said = CliRunner().invoke(app, [*map(str, given), str(tmp_path / "rain.pt")])
    assert said.exit_code == 0, said.output
    assert "noise (artificial, unseen): AUC" in said.output
    chosen = float(said.output.rsplit("--alarm disagreement=", 1)[1])
    rain = load_network(tmp_path / "rain.pt").rain().eval()
    scores = disagreement_of(rain, classifier(), draws=3)(np.ascontiguousarray(flat))
    assert chosen == pytest.approx(np.sort(scores)[18], rel=1e-3)  # ceil(21 * 0.9) of 20
    again = CliRunner().invoke(app, [*map(str, given), str(tmp_path / "rain.pt")])
    assert "holds a test already" in str(again.exception)
    refused = CliRunner().invoke(app, [*map(str, given), str(tmp_path / "other.pt")])
    assert "was not tuned for" in str(refused.exception)
    drawn = {part: {"clean": flat, "noise": frames(20)} for part in ("train", "test")}
    tracks = [f"a/{number // 4:05d}_{number:05d}.png" for number in range(20)]
    sources = {part: {kind: [f"{part}/{track}" for track in tracks] for kind in drawn[part]} for part in drawn}
    few = write_bank(tmp_path / "few", drawn, sources=sources)
    given[2:5] = [few, "--out", tmp_path / "elsewhere"]
    refused = CliRunner().invoke(app, [*map(str, given), str(tmp_path / "rain.pt")])
    assert "cannot be promised by 20 clean images of 5 sources: it takes 9" in str(refused.exception)
