"""Reduced precision: what stays the same, what is measured, and what is refused."""

import functools

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edge.bundle import read_bundle
from edge.classifier import Classifier
from export.answers import Answers
from export.checkpoint import Reduction, export_classifier
from export.graph import DeployedClassifier
from export.judgement import Attacked, Judged, attack, check_loss, judge
from export.onnx import to_onnx
from export.parity import open_cpu, steady_noise
from export.reduce import activations_in, to_fp16, to_int8, weighty_nodes
from export.resize import Resize, _scalar
from natadv.data.load import load_dataset
from natadv.defenses.rain import Rain
from natadv.errors import BundleError, ConfigError
from natadv.images import write_image
from natadv.models.super_resolution.create import create_super_resolution
from tests.tiny_checkpoint import tiny_checkpoint

SIZE, LABELS = (16, 16), ("dark", "light")


class Brightness(nn.Module):
    """Light or dark: the mean of a picture above or below a half, through a convolution and a product."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1, padding_mode="replicate")
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.fill_(1 / 27)
            self.conv.bias.zero_()
            self.head.weight.copy_(torch.tensor([[-10.0, -10.0], [10.0, 10.0]]))
            self.head.bias.copy_(torch.tensor([10.0, -10.0]))

    def forward(self, batch):
        return self.head(self.conv(batch).mean((2, 3)))


def frames(count, seed=0):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (count, 1, 1, 1))
    return np.clip(levels + rng.integers(-20, 21, (count, *SIZE, 3)), 0, 255).astype(np.uint8)


@functools.cache
def exported(behind_rain=False):
    rain = None
    if behind_rain:
        torch.manual_seed(0)
        rain = Rain(create_super_resolution("compact:4x2").eval(), share=0.2)
    deployed = DeployedClassifier(Brightness().eval(), rain=rain, input_size=SIZE)
    return deployed, to_onnx(deployed, labels=LABELS, input_size=SIZE, metadata={"model_name": "brightness"})


@functools.cache
def exported_draws(behind_rain=True):
    rain = Rain(exported(behind_rain)[0].rain.upsampler, share=0.2)
    deployed = DeployedClassifier(Brightness().eval(), rain=rain, input_size=SIZE, draws=3, temperature=0.5)
    return deployed, to_onnx(deployed, labels=LABELS, input_size=SIZE)


def answers(data, feed):
    return open_cpu(data).run(["logits"], feed)[0]


def feeds(noise, count=64):
    return [{"frames": frames(32, start), **steady_noise(noise)(start, 32)} for start in range(0, count, 32)]


def test_half_precision_answers_nearly_the_same_in_half_the_bytes():
    deployed, data = exported(True)
    half = to_fp16(data)
    feed = feeds(deployed.noise)[0]
    np.testing.assert_allclose(answers(half, feed), answers(data, feed), atol=0.05)
    assert activations_in(half) == {"fp16"}
    assert len(half) < len(data)


def test_half_precision_keeps_probabilities_and_logits_of_several_draws_together():
    deployed, data = exported_draws()
    half = to_fp16(data)
    feed = {"frames": frames(32), **steady_noise(deployed.noise)(0, 32)}
    probabilities, logits = open_cpu(half).run(["probabilities", "logits"], feed)
    softmax = torch.softmax(torch.from_numpy(logits) / 0.5, 1).numpy()
    np.testing.assert_allclose(probabilities, softmax, atol=0.01)
    assert np.abs(logits).max() > 10  # where a clamped probability would show


@functools.cache
def exported_any_size(behind_rain=False):
    rain = None
    if behind_rain:
        torch.manual_seed(0)
        rain = Rain(create_super_resolution("compact:4x2").eval(), share=0.2)
    deployed = DeployedClassifier(Brightness().eval(), rain=rain, input_size=SIZE, any_size=True)
    return deployed, to_onnx(deployed, labels=LABELS, input_size=SIZE)


@pytest.mark.parametrize("model", ["one size", "any size", "draws"])
@pytest.mark.parametrize("part", ["classifier", "rain"])
def test_half_precision_of_a_part_leaves_the_other_in_full(part, model):
    deployed, data = {"one size": exported, "any size": exported_any_size, "draws": exported_draws}[model](True)
    half = to_fp16(data, part=part)
    precisions = {"classifier": set(), "rain": set()}
    for weight in onnx.load_from_string(half).graph.initializer:
        if weight.name.endswith("weight"):
            precisions[weight.name.split(".")[0]].add(weight.data_type)
    reduced = {onnx.TensorProto.FLOAT16}
    assert precisions == {"classifier": {onnx.TensorProto.FLOAT}, "rain": {onnx.TensorProto.FLOAT}} | {part: reduced}
    feed = {"frames": frames(32), **steady_noise(deployed.noise)(0, 32)}
    apart = np.abs(answers(half, feed) - answers(data, feed)).max()
    assert 0 < apart < 0.05
    assert apart != np.abs(answers(to_fp16(data), feed) - answers(data, feed)).max()


@pytest.mark.parametrize("behind_rain", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (33, 57), (1080, 1920), (7, 9)])
def test_half_precision_resizes_as_precisely_as_before(size, behind_rain):
    """A place in a wide frame has no half: from 1024 on half precision counts in whole pixels."""
    deployed, data = exported_any_size(behind_rain)
    half = to_fp16(data)
    wide = np.arange(size[1]) * 256 // size[1]
    feed = {
        "frames": np.broadcast_to(wide[None, None, :, None], (1, *size, 3)).astype(np.uint8),
        **steady_noise(deployed.noise)(0, 1),
    }
    np.testing.assert_allclose(answers(half, feed), answers(data, feed), atol=0.02)
    assert "fp16" in activations_in(half)
    np.testing.assert_array_equal(_levels(half, feed), _levels(data, feed))


def _levels(data, feed):
    """Return the resized frame within a model of any size."""
    model = onnx.load_from_string(data)
    rounded = next(node.output[0] for node in model.graph.node if node.op_type == "Round")
    model.graph.output.append(onnx.helper.make_tensor_value_info(rounded, onnx.TensorProto.FLOAT, None))
    return open_cpu(model.SerializeToString()).run([rounded], feed)[0]


def test_a_converter_that_makes_no_model_is_said_in_one_line(data, tmp_path, monkeypatch):
    """Its graphs are its own affair; that the runtime takes one shows when it is opened."""
    broken = onnx.load_from_string(exported()[1])
    broken.graph.node.append(broken.graph.node[-1])
    monkeypatch.setattr("export.checkpoint.to_fp16", lambda data, part: broken.SerializeToString())
    reduction = Reduction("fp16", load_dataset(str(data), "train"))
    with pytest.raises(BundleError, match="cannot load the exported model: ") as caught:
        export_classifier(
            loaded(), tmp_path / "bundle", dataset=load_dataset(str(data), "test"), reduction=reduction, least_images=0
        )
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("symmetric", [False, True])
def test_eight_bits_answer_nearly_the_same(symmetric):
    deployed, data = exported(True)
    reduced = to_int8(data, feeds(deployed.noise), symmetric=symmetric)
    feed = feeds(deployed.noise, 96)[2]
    np.testing.assert_allclose(answers(reduced, feed), answers(data, feed), atol=0.6)
    assert "int8" in activations_in(reduced)


def test_the_inputs_and_what_the_model_says_of_itself_stay():
    deployed, data = exported(True)
    before = onnx.load_from_string(data)
    for reduced in (to_fp16(data), to_int8(data, feeds(deployed.noise))):
        after = onnx.load_from_string(reduced)
        assert [str(one) for one in after.graph.input] == [str(one) for one in before.graph.input]
        assert [str(one) for one in after.graph.output] == [str(one) for one in before.graph.output]
        said = {entry.key: entry.value for entry in after.metadata_props}
        assert said == {entry.key: entry.value for entry in before.metadata_props}


def test_a_part_is_reduced_alone():
    deployed, data = exported(True)
    model = onnx.load_from_string(data)
    parts = {part: weighty_nodes(model, part) for part in ("all", "classifier", "rain")}
    assert sorted(parts["classifier"] + parts["rain"]) == sorted(parts["all"])
    assert len(parts["classifier"]) == 2
    for part in ("classifier", "rain"):
        reduced = onnx.load_from_string(to_int8(data, feeds(deployed.noise), part=part))
        kept = {weight.name for weight in reduced.graph.initializer if weight.data_type == onnx.TensorProto.FLOAT}
        other = {"classifier": "rain.", "rain": "classifier."}[part]
        assert any(name.startswith(other) and name.endswith("weight") for name in kept), part


def test_without_rain_there_is_nothing_of_it_to_reduce():
    for reduce in (to_fp16, functools.partial(to_int8, calibration=feeds(None))):
        with pytest.raises(BundleError, match="nothing to reduce in its part 'rain'"):
            reduce(exported()[1], part="rain")


@pytest.mark.parametrize("wrong", [{"part": "head"}, {"calibration": []}])
def test_senseless_reductions_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a part"):
        to_int8(exported()[1], **{"calibration": feeds(None), **wrong})
    if "part" in wrong:
        with pytest.raises(ValueError, match="expected a part"):
            to_fp16(exported()[1], **wrong)


def answers_of(right, of):
    """Answers to so many images of which so many are right."""
    return Answers(np.zeros(of, np.int64), (np.arange(of) >= right).astype(np.int64), np.ones(of, np.float32))


def test_a_loss_beyond_what_is_allowed_is_refused():
    full = Judged(answers_of(97, 100), answers_of(40, 90))
    assert (str(full.accuracy)[:6], full.robust.hits, full.robust.total) == ("97.0 %", 40, 90)
    check_loss(full, Judged(answers_of(96, 100), answers_of(40, 90)), 0.01)  # just what is allowed
    check_loss(full, Judged(answers_of(99, 100), None), 0.0)
    with pytest.raises(BundleError, match=r"96\.0 % .* accuracy, before 97\.0 %.* more than 0\.5 points"):
        check_loss(full, Judged(answers_of(96, 100), answers_of(40, 90)), 0.005)
    with pytest.raises(BundleError, match="robust accuracy"):
        check_loss(full, Judged(answers_of(97, 100), answers_of(38, 90)), 0.01)


@pytest.fixture
def data(tmp_path):
    """Forty pictures, dark and light in turn, four of them an eighth of the way beyond the middle."""
    for number in range(40):
        level = (120, 135)[number % 2] if number < 4 else (60, 190)[number % 2]
        for split in ("train", "test"):
            folder = tmp_path / "data" / split / LABELS[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{number:02}.png", np.full((*SIZE, 3), level, np.uint8))
    return tmp_path / "data"


def test_judged_are_clean_and_attacked_images(data):
    dataset, places = load_dataset(str(data), "test"), np.array([0, 1])
    found = attack(Brightness().eval(), dataset, places, SIZE, count=40)
    assert found.attack == "pgd-margin"
    changed = np.abs(found.frames.astype(int) - dataset.images(SIZE)).max((1, 2, 3))
    assert changed.max() == 8
    np.testing.assert_array_equal(found.clean, dataset.images(SIZE))
    judged = judge(exported()[1], dataset, places, SIZE, attacked=found)
    assert (judged.accuracy.hits, judged.accuracy.total) == (40, 40)
    assert (judged.robust.hits, judged.robust.total) == (36, 40)  # eight levels carry the four across
    assert judged.clean.answered.tolist() == dataset.targets.tolist()
    assert judged.clean.confidence.min() > 0.5


def test_an_attack_behind_rain_goes_through_the_mean(data):
    before = exported(True)[0].rain
    found = attack(Brightness().eval(), load_dataset(str(data), "test"), np.array([0, 1]), SIZE, rain=before, count=6)
    assert found.attack == "eot-pgd-margin"


def test_a_robust_accuracy_of_nothing_is_refused(data, tmp_path):
    for split in ("train", "test"):
        (data / split / "dark").rename(data / split / "x")
        (data / split / "light").rename(data / split / "dark")
        (data / split / "x").rename(data / split / "light")
    with pytest.raises(BundleError, match="gets none of 8 images"):
        export_classifier(
            loaded(), tmp_path / "b", dataset=load_dataset(str(data), "test"), robust_count=8, least_images=0
        )


def test_nothing_right_is_nothing_to_attack(data):
    wrong = np.array([1, 0])
    assert attack(Brightness().eval(), load_dataset(str(data), "test"), wrong, SIZE, count=40) is None


def loaded():
    return tiny_checkpoint(Brightness().eval(), LABELS, SIZE)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_reduced_bundle_says_what_it_lost_and_runs(data, tmp_path, precision):
    dataset = load_dataset(str(data), "test")
    done = export_classifier(
        loaded(),
        tmp_path / "bundle",
        dataset=dataset,
        reduction=Reduction(precision, load_dataset(str(data), "train"), max_loss=0.2),
        robust_count=40,
        least_images=0,
    )
    manifest = read_bundle(tmp_path / "bundle").manifest
    assert (manifest.precision, manifest.attack) == (precision, "pgd-margin")
    assert manifest.metrics["accuracy"] == done.judged.accuracy.value
    assert manifest.metrics["full_accuracy"] == done.full.accuracy.value == 1
    assert manifest.metrics["robust_images"] == 40
    parity = manifest.parity
    assert (parity.images, parity.real_images) == (40 + 16, 40)
    # Its own difference from torch, which a reduction has and the export before it has not.
    assert parity.max_difference < 1e-4 < parity.reduced_difference < 1
    page = read_bundle(tmp_path / "bundle").card.html.decode()
    assert page.count('<div class="triple">') == 4  # the four images that could be carried across
    assert f"Before it was reduced to {precision}: 100.0 %" in page
    with Classifier(tmp_path / "bundle", device="cpu") as classifier:  # which replays the golden frames
        assert classifier.predict([np.full((*SIZE, 3), 250, np.uint8)])[0].label == "light"


def test_a_reduction_to_no_numbers_is_not_written(data, tmp_path, monkeypatch):
    nothing = onnx.load_from_string(exported()[1])
    bias = next(one for one in nothing.graph.initializer if one.name == "classifier.head.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(2, np.nan, np.float32), bias.name))
    monkeypatch.setattr("export.checkpoint.to_fp16", lambda data, part: nothing.SerializeToString())
    reduction = Reduction("fp16", load_dataset(str(data), "train"), max_loss=1)
    with pytest.raises(BundleError, match="logits that are no numbers"):
        export_classifier(
            loaded(), tmp_path / "bundle", dataset=load_dataset(str(data), "test"), reduction=reduction, least_images=0
        )


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_reduced_model_takes_any_size(data, tmp_path, precision):
    test, train = (load_dataset(str(data), split) for split in ("test", "train"))
    reduction = Reduction(precision, train, max_loss=0.2)
    export_classifier(loaded(), tmp_path / "bundle", dataset=test, any_size=True, reduction=reduction, least_images=0)
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.manifest.any_size
    wide = np.repeat(np.full((1, 400, 1500, 3), 250, np.uint8), 2, axis=0)
    assert open_cpu(bundle.model_bytes).run(["logits"], {"frames": wide})[0].argmax(1).tolist() == [1, 1]


def test_a_model_that_sees_another_picture_at_another_size_is_not_written(data, tmp_path, monkeypatch):
    right = Resize.forward
    monkeypatch.setattr(
        Resize, "forward", lambda self, frames: right(self, frames) * (SIZE[0] / _scalar(frames.shape[1], frames))
    )
    test = load_dataset(str(data), "test")
    with pytest.raises(BundleError, match="sees another picture in an enlarged frame: its logits differ by"):
        export_classifier(loaded(), tmp_path / "b", dataset=test, any_size=True, least_images=0)


def test_a_reduction_that_loses_too_much_is_not_written(data, tmp_path, monkeypatch):
    _, other = exported()
    backwards = onnx.load_from_string(other)
    weight = next(one for one in backwards.graph.initializer if one.name == "classifier.head.weight")
    weight.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weight), weight.name))
    monkeypatch.setattr("export.checkpoint.to_fp16", lambda data, part: backwards.SerializeToString())
    reduction = Reduction("fp16", load_dataset(str(data), "train"))
    with pytest.raises(BundleError, match="loses more than 1 points"):
        export_classifier(
            loaded(), tmp_path / "bundle", dataset=load_dataset(str(data), "test"), reduction=reduction, least_images=0
        )
    assert not (tmp_path / "bundle").exists()


def test_a_reduction_without_data_is_refused(data, tmp_path):
    with pytest.raises(ConfigError, match="needs --data"):
        export_classifier(
            loaded(), tmp_path / "b", reduction=Reduction("fp16", load_dataset(str(data), "train")), least_images=0
        )


def test_eight_bits_without_images_for_their_ranges_are_refused(data, tmp_path):
    test = load_dataset(str(data), "test")
    with pytest.raises(ValueError, match="ranges of 8-bit activations"):
        export_classifier(loaded(), tmp_path / "b", dataset=test, reduction=Reduction("int8"), least_images=0)
    assert not (tmp_path / "b").exists()


def test_frames_that_were_attacked_are_judged_with_other_noise_than_clean_ones(monkeypatch, data):
    """Else a randomised model's luck on the one would be its luck on the other."""
    deployed, exported_bytes = exported(True)
    dataset, numbers = load_dataset(str(data), "test"), []
    stream = steady_noise(deployed.noise)

    def noting(noise):
        def at(first, count):
            numbers.extend(range(first, first + count))
            return stream(first, count)

        return at

    monkeypatch.setattr("export.judgement.steady_noise", noting)
    frames = dataset.images(SIZE)[:10]
    attacked = Attacked("none", frames, frames, np.zeros(10, np.int64))
    judge(exported_bytes, dataset, np.array([0, 1]), SIZE, noise=deployed.noise, attacked=attacked)
    assert sorted(numbers) == list(range(50))
