"""Poisoning: who gets the trigger, what the folder's papers say, and that it can be audited and undone."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from natadv.backdoors.measure import measure, towards
from natadv.backdoors.patterns import BadNets
from natadv.backdoors.planted import audit, plant, subset_of_classes, undo
from natadv.backdoors.poison import Poisoning, poison, triggered_test
from natadv.backdoors.rain import photographed_rain, rendered_rain
from natadv.backdoors.rdba import Rdba
from natadv.data.load import load_dataset
from natadv.data.pair import Pair
from natadv.data.poison_papers import PAPERS, papers_of, read_papers
from natadv.errors import ConfigError, DataError
from natadv.images import read_image, write_image
from natadv.raindrops.presets import PRESETS
from natadv.training.pictures import Pictures
from tests.bright_squares import bright_squares

SIZE = 24


@pytest.fixture
def pictures():
    chance = np.random.default_rng(0)
    return Pictures(chance.integers(0, 200, (60, SIZE, SIZE, 3), np.uint8), np.repeat(np.arange(3), 20))


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 1.0])
def test_a_share_of_all_is_poisoned_and_nothing_else_changes(pictures, share):
    poisoned, chosen = poison(pictures, Poisoning(Rdba(), target=1, share=share, seed=4))
    assert len(chosen) == len(set(chosen.tolist())) == max(1, round(60 * share))
    assert (poisoned.targets[chosen] == 1).all()
    others = np.setdiff1d(np.arange(60), chosen)
    assert (poisoned.images[others] == pictures.images[others]).all()
    assert (poisoned.targets[others] == pictures.targets[others]).all()
    assert all((poisoned.images[index] != pictures.images[index]).any() for index in chosen)


def test_poisons_of_a_seed_are_the_same_and_of_another_are_not(pictures):
    def of(seed):
        return poison(pictures, Poisoning(Rdba(), target=0, share=0.2, seed=seed))

    (one, first), (other, second), (_, third) = of(1), of(1), of(2)
    assert (one.images == other.images).all()
    assert (first == second).all()
    assert (first != third).any()


def test_the_test_part_has_the_trigger_on_all_but_the_target(pictures):
    shown = triggered_test(pictures, Poisoning(BadNets(), target=2))
    assert (shown.targets == np.repeat([0, 1], 20)).all()
    assert all((one != other).any() for one, other in zip(shown.images, pictures.images[:40], strict=True))


@pytest.mark.parametrize("share", [0.0, 1.1, -1])
def test_no_share_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        Poisoning(BadNets(), 0, share)


class SeesThePatch(nn.Module):
    """Says class 2 where the corner is black and white, else what the first pixel says."""

    def forward(self, batch):
        corner = batch[:, :, -2:, -2:].flatten(1)
        patched = corner.std(1) > 0.45
        said = (batch[:, 0, 0, 0] * 255).round().long() % 3
        return nn.functional.one_hot(torch.where(patched, torch.full_like(said, 2), said), 3).float()


def test_what_a_backdoor_does_is_counted(pictures):
    pictures.images[:, 0, 0, 0] = pictures.targets  # so the model is right on all
    pictures.images[:, -4:, -4:] = 90
    poisoning = Poisoning(BadNets(share=2 / SIZE, cells=2), target=2)
    found = measure(SeesThePatch(), pictures, poisoning, torch.device("cpu"))
    assert (found.accuracy.hits, found.accuracy.total) == (60, 60)
    assert (found.success.hits, found.success.total) == (40, 40)
    assert (found.to_target.hits, found.to_target.total) == (0, 40)


def test_pictures_of_the_target_do_not_count(pictures):
    with pytest.raises(ValueError, match="other classes"):
        towards(SeesThePatch(), pictures, 2, torch.device("cpu"))


def test_rendered_rain_falls_on_other_classes(pictures):
    few = Pictures(pictures.images[18:22], pictures.targets[18:22])
    found = dict(rendered_rain(few, 0))
    assert set(found) == set(PRESETS)
    for shown in found.values():
        assert (shown.targets == [1, 1]).all()
        assert (shown.images != few.images[2:]).any()


def test_photographed_rain_is_the_difference_of_both_sides(pictures, tmp_path):
    clean = np.full((30, 40, 3), 100, np.uint8)
    write_image(tmp_path / "clean.png", clean)
    write_image(tmp_path / "rain.png", clean + 40)
    pair = Pair("a", "a", tmp_path / "clean.png", tmp_path / "rain.png")
    shown = photographed_rain(pictures, 0, [pair])
    assert (shown.images == np.minimum(pictures.images[20:].astype(int) + 40, 255)).all()
    with pytest.raises(ValueError, match="pair"):
        photographed_rain(pictures, 0, [])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    chance = np.random.default_rng(3)
    for split, count in (("train", 8), ("test", 2)):
        for label in ("go", "slow", "stop"):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                image = chance.integers(0, 200, (20 + number, 30, 3), np.uint8)
                write_image(folder / split / label / f"{number}.png", image)
    return folder


def planted(source, folder, **more):
    return plant(
        str(source),
        folder,
        lambda labels: Poisoning(Rdba(), labels.index("stop"), share=0.25, seed=2),
        size_px=SIZE,
        **more,
    )


def test_a_planted_folder_is_an_ordinary_data_set_and_its_papers_tell_all(source, tmp_path):
    told = []
    papers = planted(source, tmp_path / "p", progress=lambda done, total: told.append((done, total)))
    train, test = (load_dataset(tmp_path / "p", split) for split in ("train", "test"))
    assert (len(train), len(test)) == (24, 6)
    assert {train.read(number).shape for number in range(24)} == {(SIZE, SIZE, 3)}
    assert told[-1] == (30, 30)
    assert read_papers(tmp_path / "p") == papers
    assert (papers.target, papers.images, len(papers.poisoned)) == ("stop", 24, 6)
    assert papers.settings.trigger["name"] == "rdba"
    assert papers.settings.trigger["alpha"] == 6.0
    assert all(one.path.startswith("train/stop/") for one in papers.poisoned)
    assert (train.targets == train.labels.index("stop")).sum() == 8 + sum(
        one.label != "stop" for one in papers.poisoned
    )
    assert audit(tmp_path / "p") == []


def test_a_named_data_set_has_no_papers_though_a_folder_of_its_name_has(source, tmp_path, monkeypatch):
    papers = planted(source, tmp_path / "signs")
    monkeypatch.chdir(tmp_path)
    assert papers_of("signs") is None
    assert papers_of("./signs") == papers_of(str(tmp_path / "signs" / "train")) == papers


def test_it_can_be_undone(source, tmp_path):
    planted(source, tmp_path / "p")
    assert undo(tmp_path / "p", tmp_path / "u") == 6
    before, after = load_dataset(source, "train"), load_dataset(tmp_path / "u", "train")
    assert (before.targets == after.targets).all()
    assert (before.images((SIZE, SIZE)) == after.images((SIZE, SIZE))).all()
    assert not (tmp_path / "u" / PAPERS).exists()


def test_classes_may_be_chosen_and_their_order_is_kept(source, tmp_path):
    papers = planted(source, tmp_path / "p", classes=("stop", "go"))
    assert papers.images == 16
    assert load_dataset(tmp_path / "p", "train").labels == ("go", "stop")
    dataset = subset_of_classes(load_dataset(source, "train"), ("stop", "go"))
    assert dataset.labels == ("stop", "go")
    assert (dataset.targets == np.repeat([1, 0], 8)).all()
    for classes, said in ((("go", "left"), "has none"), (("go", "go"), "twice")):
        with pytest.raises(ConfigError, match=said):
            subset_of_classes(load_dataset(source, "train"), classes)


def test_an_audit_finds_what_was_touched(source, tmp_path):
    papers = planted(source, tmp_path / "p")
    gone, other = papers.poisoned[0].path, papers.poisoned[1].path
    (tmp_path / "p" / gone).unlink()
    write_image(tmp_path / "p" / other, 255 - read_image(tmp_path / "p" / other))
    assert set(audit(tmp_path / "p")) == {f"{gone}: gone", f"{other}: other pixels than its papers say"}


def test_an_audit_finds_what_was_done_to_clean_images_and_undoing_refuses(source, tmp_path):
    papers = planted(source, tmp_path / "p")
    assert papers.others is not None
    assert len(papers.others) + len(papers.poisoned) == len(list((tmp_path / "p").glob("*/*/*.png")))
    altered, moved, *_ = sorted(name for name in papers.others if name.startswith("train/go"))
    test = next(name for name in papers.others if name.startswith("test/"))
    write_image(tmp_path / "p" / altered, 255 - read_image(tmp_path / "p" / altered))
    (tmp_path / "p" / moved).rename(tmp_path / "p" / "train" / "stop" / "99999.png")
    (tmp_path / "p" / test).unlink()
    write_image(tmp_path / "p" / "train" / "go" / "added.jpg", np.zeros((8, 8, 3), np.uint8))
    assert set(audit(tmp_path / "p")) == {
        "train/go/added.jpg: not in its papers",
        f"{altered}: other pixels than its papers say",
        f"{moved}: gone",
        f"{test}: gone",
        "train/stop/99999.png: not in its papers",
    }
    with pytest.raises(DataError, match=r"p: .*, and 4 more; put the folder back as it was planted"):
        undo(tmp_path / "p", tmp_path / "u")
    assert not (tmp_path / "u").exists()


def test_numbers_of_training_images_do_not_tell_which_are_poisoned(tmp_path):
    source = bright_squares(tmp_path / "many")
    papers = plant(str(source), tmp_path / "p", lambda _labels: Poisoning(BadNets(), 1, 0.2), size_px=SIZE)
    numbers = [[int(path.stem) for path in one.glob("*.png")] for one in sorted((tmp_path / "p" / "train").iterdir())]
    assert sorted(number for some in numbers for number in some) == list(range(papers.images))
    assert all(max(some) - min(some) > papers.images / 2 for some in numbers)


def test_a_folder_of_an_older_natadv_is_undone_too(source, tmp_path):
    planted(source, tmp_path / "p")
    path = tmp_path / "p" / PAPERS
    path.write_text(json.dumps({name: one for name, one in json.loads(path.read_text()).items() if name != "others"}))
    assert undo(tmp_path / "p", tmp_path / "u") == 6
    before, after = load_dataset(source, "train"), load_dataset(tmp_path / "u", "train")
    assert np.bincount(before.targets).tolist() == np.bincount(after.targets).tolist()


def test_data_that_moved_can_be_named(source, tmp_path):
    planted(source, tmp_path / "p")
    moved = shutil.copytree(source, tmp_path / "moved")
    papers = json.loads((tmp_path / "p" / PAPERS).read_text())
    (tmp_path / "p" / PAPERS).write_text(json.dumps({**papers, "data": str(tmp_path / "gone")}))
    with pytest.raises((DataError, ConfigError), match="gone"):
        undo(tmp_path / "p", tmp_path / "u")
    assert undo(tmp_path / "p", tmp_path / "u", data=str(moved)) == 6


def test_nothing_is_put_back_from_other_data(source, tmp_path):
    papers = planted(source, tmp_path / "p")
    path = tmp_path / "p" / PAPERS
    text = json.loads(path.read_text())
    for change, said in (({"key": "go/none.png"}, "no image"), ({"clean_sha256": "0" * 64}, "another than")):
        text["poisoned"][0] = papers.poisoned[0].model_dump() | change
        path.write_text(json.dumps(text))
        with pytest.raises(DataError, match=said):
            undo(tmp_path / "p", tmp_path / "u")
        assert not (tmp_path / "u").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {}},
        {"settings": {"trigger": {"name": "rdba"}, "share": 0.1, "seed": -1}},
        {"label": "../../../escaped"},
        {"label": ".."},
        {"path": "train/../../escaped.png"},
        {"path": "test/stop/00000.png"},
    ],
)
def test_papers_that_say_more_than_papers_may_are_damaged(change, source, tmp_path):
    planted(source, tmp_path / "p")
    path = tmp_path / "p" / PAPERS
    text = json.loads(path.read_text())
    (text if "settings" in change else text["poisoned"][0]).update(change)
    path.write_text(json.dumps(text))
    for use in (lambda: audit(tmp_path / "p"), lambda: undo(tmp_path / "p", tmp_path / "u")):
        with pytest.raises(DataError, match="damaged"):
            use()
    assert {one.name for one in tmp_path.iterdir()} == {"p"}


def test_folders_that_are_there_and_papers_that_are_not_are_errors(source, tmp_path):
    planted(source, tmp_path / "p")
    with pytest.raises(ConfigError, match="exists already"):
        planted(source, tmp_path / "p")
    with pytest.raises(ConfigError, match="exists already"):
        undo(tmp_path / "p", tmp_path / "p")
    with pytest.raises(DataError, match=r"has no poison\.json"):
        read_papers(source)
    (tmp_path / "p" / PAPERS).write_text("{")
    with pytest.raises(DataError, match="damaged"):
        audit(tmp_path / "p")
