"""Frames of one sign are one proof: what images are of outlives planting, and intervals count it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from capture.plan import Plan, start_session
from natadv.backdoors.lost import lost_accuracy
from natadv.backdoors.measure import measure
from natadv.backdoors.patterns import BadNets
from natadv.backdoors.planted import plant, subset_of_classes, undo
from natadv.backdoors.poison import Poisoning, triggered_test
from natadv.campaign.natural_rain import kept_rain, natural_rain
from natadv.campaign.session_frames import session_frames
from natadv.data.export import export_images
from natadv.data.kin import kin_of
from natadv.data.load import load_dataset
from natadv.data.origins import ORIGINS
from natadv.errors import DataError
from natadv.evaluation.rates import Rate, clustered_interval
from natadv.raindrops.presets import PRESETS
from natadv.training.pictures import Pictures, read_pictures
from rigs.rig import load_rig
from rigs.session import SessionSettings
from tests.bright_squares import bright_squares
from tests.scanned_sessions import record

TRACKS = ("00000", "00000", "00000", "00001", "00001", "00001")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    return bright_squares(tmp_path_factory.mktemp("tracks"), per_track=3)


@pytest.fixture(scope="module")
def planted(tracks, tmp_path_factory):
    out = tmp_path_factory.mktemp("planted") / "data"
    plant(str(tracks), out, lambda labels: Poisoning(BadNets(), 0, share=0.2), size_px=16, classes=("blue", "red"))
    return out


def kin_of_test(folder):
    return load_dataset(folder, "test").kin


def test_what_images_are_of_outlives_planting_undoing_and_planting_again(planted, tmp_path):
    expected = tuple(f"{label}/{track}" for label in ("blue", "red") for track in TRACKS)
    assert kin_of_test(planted) == expected
    undo(planted, tmp_path / "clean")
    assert kin_of_test(tmp_path / "clean") == expected
    plant(str(tmp_path / "clean"), tmp_path / "again", lambda _labels: Poisoning(BadNets(), 1), size_px=16)
    assert kin_of_test(tmp_path / "again") == expected
    red = subset_of_classes(load_dataset(planted, "test"), ("red",))
    assert red.kin == expected[6:]
    assert red.subset(np.array([4, 0])).kin == ("red/00001", "red/00000")


def test_origins_do_not_tell_which_training_images_are_poisoned(planted):
    assert all(path.startswith("test/") for path in json.loads((planted / ORIGINS).read_text())["keys"])
    train = load_dataset(planted, "train")
    assert train.origins == train.keys


def test_exported_images_keep_what_they_are_of(tracks, tmp_path):
    export_images(str(tracks), tmp_path / "out", per_class=4)
    assert load_dataset(tmp_path / "out", "test").kin == tuple(
        load_dataset(tracks, "test").kin[int(key.split("/")[1].removesuffix(".png"))]
        for key in load_dataset(tmp_path / "out", "test").keys
    )


def test_a_folder_of_an_older_natadv_is_counted_by_image(planted, tmp_path):
    undo(planted, tmp_path / "clean")
    (tmp_path / "clean" / ORIGINS).unlink()
    test = read_pictures(load_dataset(tmp_path / "clean", "test"), (16, 16))
    assert test.counted == "by image"
    found = measure(Corner(), test, Poisoning(BadNets(), 0), CPU)
    assert found.counted == "by image"
    assert found.accuracy.interval == Rate(found.accuracy.hits, 12).interval


@pytest.mark.parametrize("text", ["{", '{"keys": []}', '{"format": "natadv-origins/9", "keys": {}}'])
def test_damaged_origins_are_one_line(planted, tmp_path, text):
    undo(planted, tmp_path / "clean")
    (tmp_path / "clean" / ORIGINS).write_text(text)
    with pytest.raises(DataError, match=r"origins\.json: damaged; delete it") as caught:
        load_dataset(tmp_path / "clean", "test")
    assert "\n" not in str(caught.value)


def test_origins_of_some_images_alone_are_refused(planted, tmp_path):
    undo(planted, tmp_path / "clean")
    file = tmp_path / "clean" / "test" / "red" / "00007.png"
    file.rename(file.with_name("mine.png"))
    with pytest.raises(DataError, match=r"says nothing of test/red/mine\.png; delete"):
        load_dataset(tmp_path / "clean", "test")


class Corner(nn.Module):
    """Says what the first pixel says."""

    def forward(self, batch):
        return nn.functional.one_hot((batch[:, 0, 0, 0] * 255).round().long() % 3, 3).float()


def ten_signs_of_six_frames(right_of):
    """Return frames of 5 signs a class of which `Corner` is right where `right_of` says so, by sign."""
    targets = np.repeat([0, 1], 30)
    images = np.full((60, 16, 16, 3), 120, np.uint8)
    images[:, 0, 0, 0] = np.where(np.repeat(right_of, 6), targets, 2)
    kin = tuple(f"{target}/{number // 6}" for number, target in enumerate(targets))
    return Pictures(images, targets, kin)


def test_intervals_count_signs_and_not_their_frames():
    test = ten_signs_of_six_frames([True] * 4 + [False] + [True] * 3 + [False] * 2)
    found = measure(Corner(), test, Poisoning(BadNets(), 2), CPU)
    assert found.counted == test.counted == "by kin, 10 in 60 images"
    assert (found.accuracy.hits, found.accuracy.total) == (42, 60)
    assert found.accuracy.interval == clustered_interval([6] * 4 + [0] + [6] * 3 + [0] * 2, [6] * 10)
    low, high = found.accuracy.interval
    less, more = Rate(42, 60).interval
    assert low < less - 0.1
    assert high > more + 0.05
    assert found.to_target.interval == clustered_interval([0] * 4 + [6] + [0] * 3 + [6] * 2, [6] * 10)
    assert found.success.interval == found.to_target.interval  # the patch is not where it looks


def test_where_no_image_has_kin_the_interval_is_by_image():
    test = ten_signs_of_six_frames([True] * 7 + [False] * 3)
    alone = Pictures(test.images, test.targets, tuple(map(str, range(60))))
    for shown in (alone, Pictures(test.images, test.targets)):
        found = measure(Corner(), shown, Poisoning(BadNets(), 2), CPU)
        assert found.counted == "by image"
        assert found.accuracy.interval == pytest.approx(Rate(42, 60).interval, abs=1e-12)


def test_triggered_and_rained_on_images_are_of_what_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.rain.PRESETS", {"light": PRESETS["light"]})
    monkeypatch.setattr("natadv.backdoors.drops._PLATES", 2)
    test = ten_signs_of_six_frames([True] * 10)
    assert triggered_test(test, Poisoning(BadNets(), 0)).kin == test.kin[30:]
    for _ in range(2):  # made, then kept
        (rain,) = kept_rain(tmp_path / "rain.npz", natural_rain(test, ("a", "b"), 0))
        assert rain.pictures.kin == test.kin[30:]
    with np.load(tmp_path / "rain.npz") as kept:
        older = {name: kept[name] for name in kept.files if not name.endswith("|kin")}
    np.savez(tmp_path / "older.npz", **older)
    (rain,) = kept_rain(tmp_path / "older.npz", natural_rain(test, ("a", "b"), 0))
    assert rain.pictures.counted == "by image"
    whole = (tmp_path / "rain.npz").read_bytes()
    for number, torn in enumerate((whole[:-200], whole[: len(whole) // 2] + bytes(64) + whole[len(whole) // 2 + 64 :])):
        (tmp_path / "torn.npz").write_bytes(torn)
        with pytest.raises(DataError, match=r"torn\.npz: damaged; delete it, it is made again"):
            kept_rain(tmp_path / "torn.npz", natural_rain(test, ("a", "b"), number))


def test_frames_of_one_clip_are_kin(tmp_path):
    record(tmp_path / "session", [("r", "rrr", "rrr"), ("g", "ggg", "ggg")])
    shown = session_frames(tmp_path / "session", ("blue", "green", "red"), (16, 16), per_clip=3)
    assert shown.counted == "by kin, 2 in 6 images"


def test_a_session_of_exported_images_knows_what_they_are_of(tracks, tmp_path):
    export_images(str(tracks), tmp_path / "images")
    rig = load_rig(Path("simulated"))
    items = start_session(tmp_path / "session", rig, Plan(tmp_path / "images", purpose="test")).settings.items
    assert [item.source for item in items[:2]] == ["blue/00000.png", "blue/00001.png"]
    assert [kin_of(item.origin) for item in items] == list(load_dataset(tracks, "test").kin)
    (tmp_path / "images" / ORIGINS).unlink()
    items = start_session(tmp_path / "other", rig, Plan(tmp_path / "images", purpose="test")).settings.items
    assert {item.origin for item in items} == {None}


def test_frames_of_one_sign_are_kin_in_a_session_too(tmp_path):
    origins = ("r/00000_00001.png", "r/00000_00002.png", "g/00001_00001.png")
    record(tmp_path / "session", [("r", "rrr", "rrr"), ("r", "rrr", "rrr"), ("g", "ggg", "ggg")])
    file = tmp_path / "session" / "session.json"
    settings = SessionSettings.model_validate_json(file.read_bytes())
    labels = ("blue", "green", "red")
    assert session_frames(tmp_path / "session", labels, (16, 16)).counted == "by image"
    items = tuple(item.model_copy(update={"origin": of}) for item, of in zip(settings.items, origins, strict=True))
    file.write_text(settings.model_copy(update={"items": items}).model_dump_json())
    assert session_frames(tmp_path / "session", labels, (16, 16)).counted == "by kin, 2 in 3 images"


def test_what_a_backdoor_costs_has_an_interval_that_counts_signs():
    things = [str(number // 10) for number in range(100)]
    clean = np.ones(100, bool)
    backdoored = np.repeat(np.arange(10) >= 3, 10)  # wrong about three signs of ten
    by_sign = lost_accuracy(clean, backdoored, things)
    by_image = lost_accuracy(clean, backdoored, [str(number) for number in range(100)])
    assert by_sign.value == by_image.value == pytest.approx(0.3)
    assert by_sign.low < by_image.low < 0.3 < by_image.high < by_sign.high
    turned = lost_accuracy(backdoored, clean, things)
    assert (turned.value, turned.low, turned.high) == pytest.approx((by_sign.value, by_sign.low, by_sign.high))


def test_what_may_cost_nothing_begins_at_nothing():
    chance = np.random.default_rng(0)
    clean, backdoored = (chance.random(60) < 0.8 for _ in range(2))
    found = lost_accuracy(clean, backdoored, [str(number) for number in range(60)])
    assert found.low == 0
    assert found.value < found.high
    assert str(lost_accuracy(clean, clean, ["a"] * 30 + ["b"] * 30)) == "0.00 points (95 % 0.00–0.00)"
