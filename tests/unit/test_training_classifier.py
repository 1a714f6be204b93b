"""The training loop: it learns, resumes to the bit, refuses what does not fit, and measures honestly."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from natadv.errors import ConfigError, DataError, DeviceError
from natadv.evaluation.rates import Rate
from natadv.images import write_image
from natadv.training import materials
from natadv.training import run as run_module
from natadv.training.checkpoint import load_classifier
from natadv.training.classifier import train_classifier
from natadv.training.evaluate import accuracy, evaluate_checkpoint
from natadv.training.pictures import Pictures
from natadv.training.recipe import Recipe
from natadv.training.run import one_cycle


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> Path:
    """Three classes that differ in where the bright square is."""
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 8)):
        for label, column in (("left", 1), ("middle", 6), ("right", 11)):
            (folder / split / label).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(0, 90, (16, 16, 3), dtype=np.uint8)
                row = rng.integers(4, 8)
                image[row : row + 5, column : column + 4] = rng.integers(150, 255, 3)
                write_image(folder / split / label / f"{index}.png", image)
    return folder


def recipe(squares, **changes):
    settings = {"data": str(squares), "size_px": 16, "epochs": 3, "batch_size": 8, "threads": 1, "device": "cpu"}
    return Recipe(**(settings | changes))


@pytest.fixture(scope="module")
def trained(squares, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "a"
    train_classifier(recipe(squares, epochs=8), out)
    return out


def weights(folder, name="checkpoint.pt"):
    return load_classifier(folder / name).model.state_dict()


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_frames_of_one_thing_widen_the_interval_of_an_accuracy():
    images = np.zeros((40, 16, 16, 3), np.uint8)
    targets = np.repeat([1, 0], 20)
    kin = tuple(f"{number // 5}" for number in range(40))

    def first(batch):
        return torch.tensor([[1.0, 0.0]]).repeat(len(batch), 1)

    model = torch.nn.Identity()
    model.forward = first
    by_image, by_kin = (
        accuracy(model, Pictures(images, targets, of), torch.device("cpu")).interval for of in (None, kin)
    )
    assert by_image == pytest.approx(Rate(20, 40).interval)
    assert by_kin[0] < by_image[0] < by_image[1] < by_kin[1]


def test_it_learns_and_leaves_all_files(trained, squares):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["accuracy"] >= 0.9
    assert metrics["images"] == 24
    rate = Rate(metrics["correct"], 24)
    assert metrics["accuracy_interval"] == pytest.approx(rate.interval)
    again = evaluate_checkpoint(trained / "checkpoint.pt", str(squares), "test")
    assert (again.hits, again.total) == (rate.hits, rate.total)
    assert metrics["interval"] == "by image"
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 9))
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert yaml.safe_load((trained / "recipe.yaml").read_text())["epochs"] == 8
    loaded = load_classifier(trained / "checkpoint.pt")
    assert loaded.labels == ("left", "middle", "right")
    assert loaded.provenance["train_images"] == 72
    assert loaded.provenance["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert loaded.recipe["epochs"] == 8


class Cut(Exception):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "natadv_slim"},
        {"model": "test_vit"},
        {"advrd": 0.5, "attack_steps": 1, "generators": ("optics:light", "optics:close")},
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(squares, tmp_path, monkeypatch, changes):
    settings = recipe(squares, **changes)
    train_classifier(settings, tmp_path / "whole")
    steps = 0
    train_step = run_module.Run._step

    def until_cut(self, batch, targets):
        nonlocal steps
        steps += 1
        if steps == 14:  # in the second of three epochs
            raise Cut
        return train_step(self, batch, targets)

    with monkeypatch.context() as patch:
        patch.setattr(run_module.Run, "_step", until_cut)
        with pytest.raises(Cut):
            train_classifier(settings, tmp_path / "cut")
    torch.rand(7)  # what happens between must not matter
    train_classifier(settings, tmp_path / "cut", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    assert (tmp_path / "whole/metrics.jsonl").read_text() == (tmp_path / "cut/metrics.jsonl").read_text()
    assert (tmp_path / "whole/checkpoint.pt").read_bytes() == (tmp_path / "cut/checkpoint.pt").read_bytes()


def test_the_seed_decides(squares, tmp_path):
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train_classifier(recipe(squares, epochs=1, seed=seed), tmp_path / name)
        runs[name] = weights(tmp_path / name)
    assert same(runs["a"], runs["b"])
    assert not same(runs["a"], runs["c"])


def test_sgd_trains_another_model_and_remembers_its_momentum(squares, trained, tmp_path):
    changes = {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 5e-4, "epochs": 8}
    metrics = train_classifier(recipe(squares, **changes), tmp_path / "a")
    assert metrics["accuracy"] > 0.6  # a third by chance
    assert not same(weights(trained), weights(tmp_path / "a"))
    last = load_classifier(tmp_path / "a" / "last.pt")
    assert all("momentum_buffer" in state for state in last.training["optimizer"]["state"].values())
    with pytest.raises(ConfigError, match="begun with optimizer 'sgd', not 'adamw'"):
        train_classifier(recipe(squares, **(changes | {"optimizer": "adamw"})), tmp_path / "a", resume=True)


def test_a_recipe_from_before_there_were_optimizers_goes_on(squares, tmp_path):
    kept = recipe(squares).model_dump(mode="json")
    del kept["optimizer"]
    recipe(squares).check_continues(kept, tmp_path / "last.pt")


def test_global_generators_are_left_alone(squares, tmp_path):
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    train_classifier(recipe(squares, epochs=1), tmp_path / "a")
    assert torch.equal(torch.rand(3), expected)


def test_a_used_folder_needs_resume_and_the_same_settings(squares, tmp_path):
    train_classifier(recipe(squares, epochs=1), tmp_path / "a")
    with pytest.raises(ConfigError, match="holds a run already"):
        train_classifier(recipe(squares, epochs=1), tmp_path / "a")
    with pytest.raises(ConfigError, match="was begun with epochs 1, not 2"):
        train_classifier(recipe(squares, epochs=2), tmp_path / "a", resume=True)
    metrics = train_classifier(recipe(squares, epochs=1), tmp_path / "a", resume=True)
    assert metrics["epoch"] == 1


def test_other_materials_under_the_same_names_are_noticed_when_resuming(squares, trained, tmp_path):
    first = tmp_path / "first.pt"
    shutil.copy(trained / "checkpoint.pt", first)
    settings = recipe(squares, init=str(first), epochs=1)
    train_classifier(settings, tmp_path / "a")
    shutil.copy(trained / "last.pt", first)  # the same weights, another file
    with pytest.raises(ConfigError, match=r"last.pt: init_sha256 changed since the run began"):
        train_classifier(settings, tmp_path / "a", resume=True)


def test_other_pictures_under_the_same_names_are_noticed_when_resuming(squares, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(squares, data)
    train_classifier(recipe(data, epochs=1), tmp_path / "a")
    first, second = sorted(path for path in (data / "train").glob("*/*") if path.is_file())[:2]
    shutil.copy(second, first)
    with pytest.raises(ConfigError, match=r"last.pt: the run began with other training images"):
        train_classifier(recipe(data, epochs=1), tmp_path / "a", resume=True)


def test_a_loss_that_is_no_number_stops_with_a_line(squares, tmp_path):
    with pytest.raises(ConfigError, match=r"the loss is (nan|inf) in epoch 1, step \d+; try a lower --lr"):
        train_classifier(recipe(squares, learning_rate=1e30), tmp_path / "a")
    assert not (tmp_path / "a/checkpoint.pt").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_where_there_is_none(squares, tmp_path):
    with pytest.raises(DeviceError, match="no CUDA GPU here"):
        train_classifier(recipe(squares, device="cuda"), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_half_precision_needs_a_gpu(squares, tmp_path):
    with pytest.raises(ConfigError, match="16-mixed needs a GPU"):
        train_classifier(recipe(squares, precision="16-mixed"), tmp_path / "a")


def test_hardening_starts_from_a_checkpoint_and_takes_hits_and_drops(squares, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(materials, "PLATES", 1)
    hits = tmp_path / "hits"
    (hits / "left").mkdir(parents=True)
    write_image(hits / "left/0.png", np.zeros((20, 20, 3), np.uint8))
    with (hits / "provenance.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "session_purpose"), ("left/0.png", "left", "training")])
    settings = recipe(squares, init=str(trained / "checkpoint.pt"), hits=(str(hits),), raindrops=0.5, epochs=1)
    seen = materials.gather(settings).views
    assert (len(seen.hits), seen.hits.targets.tolist(), seen.hits.images.max()) == (1, [0], 0)
    assert seen.raindrops == 0.5
    clean = seen.clean.images[0]
    assert (seen.glass(clean, np.random.default_rng(0)) != clean).any()
    metrics = train_classifier(settings, tmp_path / "hard")
    before = evaluate_checkpoint(trained / "checkpoint.pt", str(squares), "test")
    assert metrics["accuracy_before"] == before.value
    assert [json.loads(line)["epoch"] for line in (tmp_path / "hard/metrics.jsonl").read_text().splitlines()] == [0, 1]
    provenance = load_classifier(tmp_path / "hard/checkpoint.pt").provenance
    digest = hashlib.sha256((hits / "provenance.csv").read_bytes()).hexdigest()
    assert provenance["hits"] == [{"folder": str(hits), "images": 1, "provenance_sha256": digest}]
    assert provenance["init_sha256"] == load_classifier(trained / "checkpoint.pt").digest


def test_hits_of_a_test_session_never_reach_training(squares, trained, tmp_path):
    hits = tmp_path / "hits"
    (hits / "left").mkdir(parents=True)
    write_image(hits / "left/0.png", np.zeros((20, 20, 3), np.uint8))
    with (hits / "provenance.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "session_purpose"), ("left/0.png", "left", "test")])
    with pytest.raises(DataError, match="training sessions alone"):
        train_classifier(recipe(squares, hits=(str(hits),)), tmp_path / "hard")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size_px": 32}, r"its size is \(16, 16\), not \(32, 32\)"),
        ({"model": "test_resnet"}, "its model is natadv_slim, not test_resnet"),
        ({"data": "signs"}, "has no label 'ahead', which the data have"),
    ],
)
def test_a_checkpoint_that_does_not_fit(squares, trained, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train_classifier(recipe(squares, init=str(trained / "checkpoint.pt"), **changes), tmp_path / "a")


def test_evaluating_on_labels_that_the_model_lacks(trained):
    with pytest.raises(DataError, match="label 'ahead' is not one of"):
        evaluate_checkpoint(trained / "checkpoint.pt", "signs", "test")


@pytest.mark.slow
def test_two_devices_train_and_measure_all(squares, tmp_path):
    metrics = train_classifier(recipe(squares, epochs=1, devices=2), tmp_path / "two")
    assert metrics["images"] == 24
    assert load_classifier(tmp_path / "two/checkpoint.pt").metrics["correct"] == metrics["correct"]


def test_one_cycle_rises_to_its_peak_and_falls_to_nothing():
    rates = [one_cycle(step, 100) for step in range(100)]
    assert max(rates) == 1
    assert rates.index(1) == 15
    assert rates[:16] == sorted(rates[:16])
    assert rates[15:] == sorted(rates[15:], reverse=True)
    assert 0 < rates[0] < 0.1
    assert 0 <= rates[-1] < 1e-3


@pytest.mark.shared
def test_one_epoch_on_real_signs_beats_chance(shared, tmp_path):
    settings = Recipe(data=str(shared / "data/gtsrb"), size_px=32, epochs=1, threads=1, device="cpu")
    metrics = train_classifier(settings, tmp_path / "a")
    assert metrics["images"] == 2330
    assert metrics["accuracy_interval"][0] > 3 / 43
