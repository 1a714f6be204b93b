"""RAIN in the deployed graph: the same answers as in torch, with chance as an input."""

import functools
import json
import re

import numpy as np
import onnx
import pytest
import torch
from torch import Generator, nn
from typer.testing import CliRunner

from edge.bundle import read_bundle
from edge.classifier import Classifier
from edge.cli import app as edge_app
from edge.golden import Golden
from edge.manifest import PICK, SHIFT, Detector
from edge.noise import SEED_BYTES, NoiseStream, seed_from_hex
from edge.placing import Placing
from edge.session import run_session
from edge.source import SourceOptions
from export.calibration import calibrate
from export.checkpoint import export_classifier
from export.graph import DeployedClassifier
from export.onnx import random_operators, to_onnx
from export.parity import compare, open_cpu, steady_noise
from natadv.data.dataset import Dataset
from natadv.data.load import load_dataset
from natadv.defenses.rain import Rain
from natadv.errors import BundleError, ConfigError
from natadv.images import write_image
from natadv.models.super_resolution.create import create_super_resolution
from natadv.training.rain.checkpoint import LoadedNetwork
from tests.tiny_bundle import write_tiny_bundle
from tests.tiny_checkpoint import tiny_checkpoint

SIZE, LABELS = (16, 12), ("a", "b", "c")


class Grain(nn.Module):
    """Logits that hang on every pixel, so that a pick or a shift shows."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * SIZE[0] * SIZE[1], len(LABELS))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.head(batch.flatten(1))


def grain() -> Grain:
    torch.manual_seed(0)
    return Grain().eval()


def rain(**changed):
    torch.manual_seed(1)
    upsampler = create_super_resolution("compact:4x2").eval()
    return Rain(upsampler, **{"share": 0.3} | changed).eval()


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


@pytest.mark.parametrize(
    ("settings", "draws"),
    [({}, 3), ({"per_channel": True}, 2), ({"order": "shift-down-up"}, 1), ({"order": "shift"}, 2)],
    ids=str,
)
def test_onnx_answers_as_torch_for_any_batch(settings, draws):
    deployed = DeployedClassifier(grain(), rain=rain(**settings), input_size=SIZE, draws=draws)
    data = to_onnx(deployed, labels=LABELS, input_size=SIZE)
    parity = compare(deployed, data, [frames(1), frames(5, 1)], tolerance=1e-4).parity
    assert parity.images == 6
    model = onnx.load_from_string(data)
    assert not random_operators(model)
    assert {item.name for item in model.graph.input} == {"frames", *deployed.noise.shapes}


def test_it_is_rain_before_the_classifier():
    before, classifier, given = rain(), grain(), frames(4)
    deployed = DeployedClassifier(classifier, rain=before, input_size=SIZE).eval()
    noise = before.draw(4, SIZE, Generator().manual_seed(3))
    with torch.no_grad():
        logits = deployed(torch.from_numpy(given), noise.pick, noise.shift)[1]
        expected = classifier(before(torch.from_numpy(given).permute(0, 3, 1, 2) / 255, noise))
    torch.testing.assert_close(logits, expected)


def test_several_draws_are_averaged_and_their_logits_say_the_same():
    one = DeployedClassifier(grain(), rain=rain(), input_size=SIZE).eval()
    three = DeployedClassifier(grain(), rain=rain(), input_size=SIZE, draws=3).eval()
    given, noise = torch.from_numpy(frames(2)), steady_noise(three.noise)(0, 2)
    pick, shift = torch.from_numpy(noise[PICK]), torch.from_numpy(noise[SHIFT])
    with torch.no_grad():
        each = [one(given, pick[:, k : k + 1], shift[:, 2 * k : 2 * k + 2])[0] for k in range(3)]
        probabilities, logits, disagreement = three(given, pick, shift)
    assert (each[0] - each[1]).abs().max() > 1e-4  # else averaging would show nothing
    torch.testing.assert_close(probabilities, torch.stack(each).mean(0))
    torch.testing.assert_close(torch.softmax(logits, 1), probabilities)
    apart = [(one - probabilities).abs().sum(1) / 2 for one in each]  # total variation from their mean
    torch.testing.assert_close(disagreement, torch.stack(apart).mean(0))
    assert (disagreement > 1e-4).all()


def test_its_noise_is_what_rain_would_draw():
    before = rain()
    noise = DeployedClassifier(grain(), rain=before, input_size=SIZE).noise
    assert noise.pick == (1, 8, 6)
    assert noise.reach == pytest.approx((0.3 * 8, 0.3 * 6))
    drawn = before.draw(3000, SIZE, Generator().manual_seed(0))
    ours = NoiseStream(noise, bytes(SEED_BYTES)).at(range(3000))
    for name, theirs in ((PICK, drawn.pick), (SHIFT, drawn.shift)):
        (values, counts), (expected, theirs_counts) = (
            np.unique(array, return_counts=True) for array in (ours[name], theirs.numpy())
        )
        np.testing.assert_array_equal(values, expected)
        np.testing.assert_allclose(counts / ours[name].size, theirs_counts / theirs.numel(), atol=0.03)


@functools.cache
def exported():
    deployed = DeployedClassifier(grain(), rain=rain(), input_size=SIZE)
    return deployed, to_onnx(deployed, labels=LABELS, input_size=SIZE)


def test_the_graph_answers_otherwise_to_other_noise():
    deployed, data = exported()
    session, stream = open_cpu(data), steady_noise(deployed.noise)
    answers = [session.run(["logits"], {"frames": frames(1), **stream(number, 1)})[0] for number in (0, 0, 1)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.abs(answers[0] - answers[2]).max() > 1e-3
    for name in (PICK, SHIFT):
        mixed = stream(0, 1) | {name: stream(1, 1)[name]}
        answer = session.run(["logits"], {"frames": frames(1), **mixed})[0]
        assert np.abs(answer - answers[0]).max() > 1e-3, name


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"draws": 0}, "one draw"), ({"draws": 2}, "one draw"), ({"rain": rain()}, "input size")],
    ids=str,
)
def test_senseless_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DeployedClassifier(grain(), **settings)


def bundle(folder, *, golden_noise=None):
    deployed, data = exported()
    found = compare(deployed, data, [frames(4)])
    noise = found.noise if golden_noise is None else golden_noise(found.noise)
    golden = Golden(frames(4), found.logits, noise)
    return write_tiny_bundle(
        folder, LABELS, SIZE, model=data, golden=golden, noise=deployed.noise, rain_sha256="1" * 64
    )


def test_a_device_draws_fresh_noise_for_every_frame_and_replays_it(tmp_path):
    folder = bundle(tmp_path / "bundle")
    (image,) = frames(1)
    with Classifier(folder, device="cpu") as classifier:
        seen = classifier.predict([image, image]) + classifier.predict([image])
        seed = bytes.fromhex(classifier.noise.seed)
    assert [prediction.noise for prediction in seen] == [0, 1, 2]
    assert len({prediction.confidence for prediction in seen}) == 3
    with Classifier(folder, device="cpu", noise_seed=seed) as again:
        replayed = again.probabilities(np.stack([image] * 3), [2, 0, 1])
    np.testing.assert_allclose(replayed, [seen[place].probabilities for place in (2, 0, 1)], atol=1e-6)


def test_the_seed_is_a_secret_of_the_runs_log(tmp_path, capfd):
    """Who hears it computes the next frame's noise."""
    folder = bundle(tmp_path / "bundle")
    (tmp_path / "film").mkdir()
    for number, frame in enumerate(frames(5)):
        write_image(tmp_path / "film" / f"{number}.png", frame)
    said = []
    placing = Placing(device="cpu", log=said.append)
    run_session(folder, str(tmp_path / "film"), SourceOptions(fast=True), placing=placing)
    published = capfd.readouterr()
    (line,) = said
    seed = re.fullmatch(rf"noise seed ([0-9a-f]{{64}}), of {re.escape(str(folder))}, sha256 [0-9a-f]{{12}}", line)[1]
    assert "model: " in published.err  # the events that every sink gets
    assert seed not in published.out + published.err
    lines = [json.loads(text) for text in published.out.splitlines()]
    answers = [one for one in lines if "label" in one]
    with Classifier(folder, device="cpu", noise_seed=seed_from_hex(seed)) as again:
        assert seed not in again.described
        replayed = again.probabilities(frames(5), [one["noise"] for one in answers])
    np.testing.assert_allclose([one["confidence"] for one in answers], replayed.max(axis=1), atol=1e-4)


def test_each_model_that_follows_says_a_seed_of_its_own(tmp_path):
    folder, said = bundle(tmp_path / "bundle"), []
    placing = Placing(device="cpu", noise_seed=bytes(32), log=said.append)
    placing.open(folder, first=True).close()
    placing.open(folder).close()
    assert bytes(32).hex() in said[0]
    assert len(said) == 2
    assert bytes(32).hex() not in said[1]


def test_a_run_from_the_command_line_logs_the_seed_to_standard_error_once(tmp_path):
    folder = bundle(tmp_path / "bundle")
    (tmp_path / "film").mkdir()
    write_image(tmp_path / "film" / "0.png", frames(1)[0])
    found = CliRunner().invoke(
        edge_app, ["run", str(folder), "--source", str(tmp_path / "film"), "--fast", "--device", "cpu"]
    )
    assert found.exit_code == 0, found.output
    seeds = re.findall("noise seed ([0-9a-f]{64})", found.stderr)
    assert len(seeds) == 1
    assert found.stderr.count(seeds[0]) == 1
    assert seeds[0] not in found.stdout


def test_numbers_that_do_not_fit_the_frames_are_refused(tmp_path):
    with (
        Classifier(bundle(tmp_path / "bundle"), device="cpu") as classifier,
        pytest.raises(ValueError, match="a noise number for each of 2 frames, got 1"),
    ):
        classifier.probabilities(frames(2), [0])


def test_golden_frames_are_replayed_with_their_own_noise(tmp_path):
    other = bundle(tmp_path / "bundle", golden_noise=lambda noise: {k: v[::-1].copy() for k, v in noise.items()})
    with pytest.raises(BundleError, match="golden frames' logits differ"):
        Classifier(other, device="cpu")


@pytest.mark.parametrize(
    "change",
    [
        lambda noise: {},
        lambda noise: {PICK: noise[PICK]},
        lambda noise: noise | {"more": noise[SHIFT]},
        lambda noise: noise | {SHIFT: noise[SHIFT].astype(np.int64)},
        lambda noise: noise | {SHIFT: noise[SHIFT][:2]},
    ],
)
def test_golden_noise_that_does_not_fit_the_model_makes_no_bundle(tmp_path, change):
    with pytest.raises(BundleError, match="golden noise is"):
        bundle(tmp_path / "bundle", golden_noise=change)


def network(tuned_for):
    return LoadedNetwork(
        network=create_super_resolution("compact:4x2").eval(),
        name="compact:4x2",
        recipe={"share": 0.2, "order": "down-shift-up", "per_channel": False},
        metrics={},
        provenance={} if tuned_for is None else {"classifier": tuned_for},
        digest="2" * 64,
        training=None,
    )


def classifier():
    return tiny_checkpoint(grain(), LABELS, SIZE)


def test_a_bundle_behind_rain_says_whose_it_is_and_runs(tmp_path):
    export_classifier(
        classifier(), tmp_path / "bundle", rain=network(f"grain.pt sha256 {'a' * 12}"), draws=2, least_images=0
    )
    manifest = read_bundle(tmp_path / "bundle").manifest
    assert manifest.rain_sha256 == "2" * 64
    assert (manifest.noise.draws, manifest.noise.pick, manifest.noise.reach) == (
        2,
        (2, 8, 6),
        pytest.approx((1.6, 1.2)),
    )
    with Classifier(tmp_path / "bundle", device="cpu") as opened:
        (first,) = opened.predict([frames(1)[0]])
        assert first.noise == 0
        assert 0 < first.disagreement < 1
        assert first.score is None


def test_a_detector_is_in_the_graph_and_its_threshold_in_the_manifest(tmp_path):
    class Bright(nn.Module):
        """Calls bright frames adversarial."""

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return 8 * batch.mean((1, 2, 3)) - 4

    deployed = DeployedClassifier(grain(), rain=rain(), input_size=SIZE, draws=2, detector=Bright()).eval()
    data = to_onnx(deployed, labels=LABELS, input_size=SIZE)
    assert [item.name for item in onnx.load_from_string(data).graph.output] == [
        "probabilities", "logits", "disagreement", "score",
    ]  # fmt: skip
    comparison = compare(deployed, data, [frames(6)])
    golden = Golden(frames(6), comparison.logits, comparison.noise)
    detector = Detector(checkpoint_sha256="d" * 64, threshold=0.75, false_alarms=0.01)
    write_tiny_bundle(tmp_path / "b", LABELS, SIZE, model=data, golden=golden, noise=deployed.noise, detector=detector)
    with Classifier(tmp_path / "b", device="cpu") as opened:
        dark, bright = opened.predict([np.full((*SIZE, 3), level, np.uint8) for level in (0, 255)])
    assert dark.score == pytest.approx(1 / (1 + np.exp(4)), abs=1e-5)
    assert bright.score == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-5)
    assert bright.threshold == 0.75
    # A manifest that does not speak of it gets a model without it: what is not asked for is not said.
    write_tiny_bundle(tmp_path / "c", LABELS, SIZE, model=data, golden=golden, noise=deployed.noise)
    with Classifier(tmp_path / "c", device="cpu") as opened:
        assert opened.predict([frames(1)[0]])[0].score is None


@pytest.mark.parametrize(
    ("tuned_for", "message"),
    [
        (None, "tuned for no classifier"),
        ("other.pt sha256 bbbbbbbbbbbb", "tuned for other.pt sha256 bbbbbbbbbbbb, not for"),
    ],
)
def test_rain_that_was_tuned_for_something_else_is_refused(tmp_path, tuned_for, message):
    with pytest.raises(ConfigError, match=message):
        export_classifier(classifier(), tmp_path / "bundle", rain=network(tuned_for), least_images=0)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("draws", [1, 3])
def test_a_temperature_is_in_the_probabilities_alone(draws):
    plain = DeployedClassifier(grain(), rain=rain(), input_size=SIZE, draws=draws).eval()
    warm = DeployedClassifier(grain(), rain=rain(), input_size=SIZE, draws=draws, temperature=2.5).eval()
    given, noise = torch.from_numpy(frames(3)), steady_noise(plain.noise)(0, 3)
    chance = {name: torch.from_numpy(values) for name, values in noise.items()}
    with torch.no_grad():
        probabilities, logits, *_ = warm(given, **chance)
        expected = plain(given, **chance)
    torch.testing.assert_close(torch.softmax(logits / 2.5, 1), probabilities)
    torch.testing.assert_close(logits, expected[1])  # so no answer changes
    assert (probabilities.max(1).values < expected[0].max(1).values).all()


def test_a_temperature_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a positive temperature, got 0"):
        DeployedClassifier(grain(), temperature=0)


def test_a_temperature_is_fitted_on_one_half_and_judged_on_the_other(tmp_path):
    """A model that is right three times in four and says so, but three times as sure."""
    for label in LABELS[:2]:
        for split in ("train", "test"):
            folder = tmp_path / "data" / split / label
            folder.mkdir(parents=True)
            for number in range(120):
                said = number % 4 > 0 if label == "a" else number % 4 == 0
                write_image(folder / f"{number}.png", np.full((*SIZE, 3), 250 if said else 5, np.uint8))

    class Sure(nn.Module):
        def forward(self, batch):
            light = (batch.mean((1, 2, 3)) > 0.5).float() * 2 - 1
            half = 3 * 0.5 * np.log(3) * light
            return torch.stack([half, -half, torch.full_like(half, -90)], 1)

    dataset = load_dataset(str(tmp_path / "data"), "test")
    given = (dataset, np.array([0, 1]), SIZE, np.random.default_rng(0))
    found = calibrate(DeployedClassifier(Sure()), *given)
    assert found.images == 120
    assert found.temperature == pytest.approx(3, rel=0.3)
    assert found.error < 0.08
    assert found.error_before > 0.15
    assert calibrate(DeployedClassifier(Sure()), dataset.subset(np.arange(99)), *given[1:]) is None


def test_a_temperature_that_does_not_help_on_the_other_half_is_left_at_1():
    """A model that says 80 %, right on 99 of the half that fits and four in five of the other."""

    class Honest(nn.Module):
        def forward(self, batch):
            likely = torch.full((len(batch),), np.log(4.0))
            return torch.stack([likely, torch.zeros_like(likely)], 1)

    order = np.random.default_rng(0).permutation(200)
    targets = np.zeros(200, np.int64)
    targets[order[[0, *range(100, 200, 5)]]] = 1
    keys = tuple(map(str, range(200)))
    dataset = Dataset("made", "test", LABELS[:2], targets, keys, lambda index: np.zeros((*SIZE, 3), np.uint8))
    found = calibrate(DeployedClassifier(Honest()), dataset, np.array([0, 1]), SIZE, np.random.default_rng(0))
    assert found.temperature == 1
    assert found.error == found.error_before < 0.01
    assert found.reliability == found.reliability_before


def test_a_model_that_never_errs_keeps_its_own_confidence():
    """Any lower temperature explains its answers better, and 80 % would become certainty."""

    class Right(nn.Module):
        def forward(self, batch):
            likely = torch.full((len(batch),), np.log(4.0))
            return torch.stack([likely, torch.zeros_like(likely)], 1)

    keys = tuple(map(str, range(200)))
    targets = np.zeros(200, np.int64)
    dataset = Dataset("made", "test", LABELS[:2], targets, keys, lambda index: np.zeros((*SIZE, 3), np.uint8))
    found = calibrate(DeployedClassifier(Right()), dataset, np.array([0, 1]), SIZE, np.random.default_rng(0))
    assert found.temperature == 1
