"""The quasi-GAN's loop: it learns to reproduce drops, resumes to the bit, and refuses what does not fit."""

import json
from contextlib import contextmanager

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from natadv.errors import ConfigError, DataError
from natadv.images import write_image
from natadv.training.classifier import train_classifier
from natadv.training.quasi_gan.checkpoint import load_generator
from natadv.training.quasi_gan.recipe import QuasiGanRecipe
from natadv.training.quasi_gan.samples import CAPTION_PX
from natadv.training.quasi_gan.train import train_quasi_gan
from natadv.training.recipe import Recipe
from tests.squares import write_squares


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photographs, two labels of squares, and a classifier of them."""
    folder = tmp_path_factory.mktemp("gan")
    rng = np.random.default_rng(0)
    (folder / "photographs").mkdir()
    for index in range(3):
        coarse = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        write_image(folder / f"photographs/{index}.png", cv2.resize(coarse, (96, 80), interpolation=cv2.INTER_CUBIC))
    write_squares(folder / "squares", rng, train=8, test=4, size=64, noise=60)
    settings = {"size_px": 64, "epochs": 4, "batch_size": 4, "threads": 1, "device": "cpu"}
    train_classifier(Recipe(data=str(folder / "squares"), **settings), folder / "classifier")
    return folder


def recipe(place, make=QuasiGanRecipe, **changes):
    settings = {
        "photographs": str(place / "photographs"),
        "classifier": str(place / "classifier/checkpoint.pt"),
        "data": str(place / "squares"),
        "steps": 4,
        "every": 2,
        "batch_size": 2,
        "width": 16,
        "threads": 1,
        "device": "cpu",
    }
    return make(**(settings | changes))


@pytest.mark.parametrize("make", [QuasiGanRecipe, QuasiGanRecipe.literal])
def test_a_run_leaves_a_generator_samples_and_metrics(place, tmp_path, make):
    metrics = train_quasi_gan(recipe(place, make), tmp_path / "run")
    loaded = load_generator(tmp_path / "run/generator.pt")
    assert loaded.kind == recipe(place, make).kind
    assert loaded.metrics == metrics
    assert not loaded.generator.training
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    grid = cv2.imread(str(tmp_path / "run/samples/step-000004.png"))
    assert grid.shape == (CAPTION_PX + 8 * 64, 8 * 64, 3)
    assert (grid[:CAPTION_PX].min((0, 2)).reshape(8, 64).min(1) < 200).all()  # a caption above every column
    assert list((tmp_path / "run/tensorboard").iterdir())


def test_a_resumed_run_is_the_one_that_would_have_been(place, tmp_path):
    train_quasi_gan(recipe(place), tmp_path / "whole")
    stopped = False

    def stop(done):
        nonlocal stopped
        if done == 3:
            stopped = True
            raise KeyboardInterrupt

    @contextmanager
    def stopping():
        yield lambda step: stop(step.done)

    with pytest.raises(KeyboardInterrupt):
        train_quasi_gan(recipe(place), tmp_path / "cut", reporter=stopping)
    assert stopped
    assert not (tmp_path / "cut/generator.pt").exists()
    with pytest.raises(ConfigError, match="holds a run already"):
        train_quasi_gan(recipe(place), tmp_path / "cut")
    with pytest.raises(ConfigError, match=r"was begun with eta 2\.0, not 3\.0"):
        train_quasi_gan(recipe(place, eta=3.0), tmp_path / "cut", resume=True)
    train_quasi_gan(recipe(place), tmp_path / "cut", resume=True)
    (tmp_path / "cut/generator.pt").unlink()  # as after a kill between the last state and the result
    train_quasi_gan(recipe(place), tmp_path / "cut", resume=True)
    first, second = (load_generator(tmp_path / name / "generator.pt").generator for name in ("whole", "cut"))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_it_learns_to_reproduce_drops(place, tmp_path):
    train_quasi_gan(recipe(place, steps=40, every=10, batch_size=4, gan=0.0, adversarial=0.0), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["opacity"] < 0.9 * lines[0]["opacity"]
    assert lines[-1]["reconstruction"] < lines[0]["reconstruction"]


def test_a_classifier_of_other_labels_is_refused(place, tmp_path):
    with pytest.raises(ConfigError, match="its labels are not those of signs"):
        train_quasi_gan(recipe(place, data="signs"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_torn_generator_is_refused(place, tmp_path):
    train_quasi_gan(recipe(place, steps=1, every=1), tmp_path / "run")
    data = (tmp_path / "run/generator.pt").read_bytes()
    (tmp_path / "torn.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="torn or altered"):
        load_generator(tmp_path / "torn.pt")
    with pytest.raises(DataError, match="not a raindrop generator"):
        load_generator(place / "classifier/checkpoint.pt")


@pytest.fixture(scope="module")
def with_pairs(place):
    """Ten photographs with and without drops, and a network that measures how real drops are."""
    rng = np.random.default_rng(1)
    for side in ("data", "gt"):
        (place / "pairs/train" / side).mkdir(parents=True)
    for index in range(10):
        clean = cv2.resize(rng.integers(0, 255, (7, 7, 3), dtype=np.uint8), (80, 70), interpolation=cv2.INTER_CUBIC)
        rain = clean.copy()
        for x, y in rng.integers(8, 60, (6, 2)):
            rain[y - 6 : y + 6, x - 6 : x + 6] = rain[y - 6 : y + 6, x - 6 : x + 6][::-1]
        write_image(place / f"pairs/train/gt/{index}_clean.png", clean)
        write_image(place / f"pairs/train/data/{index}_rain.png", rain)
    weights = {"w": rng.normal(size=(6, 3, 5, 5)), "v": rng.normal(size=(6, 4)), "u": rng.normal(size=4)}
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "v", "u"], ["logits"]),
    ]
    taken, given = (
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        for name, shape in (("image", ["n", 3, 64, 64]), ("logits", ["n", 4]))
    )
    stored = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "tiny", taken, given, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, place / "tiny.onnx")
    return {"pairs": str(place / "pairs"), "extractor": str(place / "tiny.onnx")}


def test_real_pairs_train_and_those_held_back_measure(place, with_pairs, tmp_path):
    metrics = train_quasi_gan(recipe(place, **with_pairs), tmp_path / "run")
    assert metrics["rfid"] > 0
    kept = load_generator(tmp_path / "run/generator.pt").provenance
    train, held = set(kept["real_pairs"]), set(kept["held_back_pairs"])
    assert train
    assert held
    assert train | held == {f"train/{index}" for index in range(10)}
    assert not train & held


def test_a_run_is_fine_tuned_to_another_eta(place, with_pairs, tmp_path):
    train_quasi_gan(recipe(place, **with_pairs), tmp_path / "first")
    last = tmp_path / "first/last.pt"
    still = recipe(place, **with_pairs, eta=4.0, init=str(last), steps=1, every=1, learning_rate=1e-9)
    train_quasi_gan(still, tmp_path / "still")
    before, after = load_generator(last), load_generator(tmp_path / "still/generator.pt")
    assert after.provenance["init_sha256"] == before.digest
    assert after.recipe["eta"] == 4.0
    for name, weight in before.generator.named_parameters():
        assert torch.allclose(weight, after.generator.get_parameter(name), atol=1e-6), name
    kept = load_generator(tmp_path / "still/last.pt").training["gan"]
    for network in ("encoder", "discriminator"):
        for name, weight in before.training["gan"][network].items():
            if name.endswith(("weight", "bias", "original")):
                assert torch.allclose(kept[network][name], weight, atol=1e-6), f"{network} {name}"
    # What the first run was trained on stays known, though this one has other pairs.
    train_quasi_gan(recipe(place, init=str(last), steps=1, every=1), tmp_path / "without")
    assert load_generator(tmp_path / "without/generator.pt").provenance["real_pairs"] == before.provenance["real_pairs"]


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("generator.pt", {}, r"generator\.pt: holds the generator alone; name the last\.pt beside it"),
        ("last.pt", {"width": 32}, r"--width 32: .*last\.pt holds a run with 16"),
        ("last.pt", {"make": QuasiGanRecipe.literal}, "--literal: .* holds a run with natadv"),
        ("last.pt", {"seed": 1}, "was trained on train/.*, held back now; keep its --seed and --pairs"),
    ],
)
def test_a_run_that_does_not_fit_is_not_fine_tuned(place, with_pairs, tmp_path_factory, file, changes, message):
    run = place / "begun"
    if not run.exists():
        train_quasi_gan(recipe(place, **with_pairs, steps=1, every=1), run)
    with pytest.raises(ConfigError, match=message):
        train_quasi_gan(
            recipe(place, **(with_pairs | {"init": str(run / file)} | changes)), tmp_path_factory.mktemp("new") / "run"
        )
