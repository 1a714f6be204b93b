"""Clean/raindrop pairs: layouts, splits by photograph, crops, rendered series."""

import cv2
import numpy as np
import pytest

from natadv.data.crops import Window, cut, draw_window, fixed_crops, random_crop
from natadv.data.pair import Pair, Sides
from natadv.data.pair_split import split_by_photograph
from natadv.data.pairs import load_pairs
from natadv.data.photographs import find_photographs
from natadv.data.rendered import RenderedPairs
from natadv.data.same_photograph import same_photographs
from natadv.data.signs import load_signs
from natadv.errors import DataError
from natadv.images import write_image
from natadv.raindrops.drops import DropParameters
from natadv.raindrops.presets import PRESETS, Wetness

DRY = Wetness(DropParameters(drops_per_mm2=0, mist_per_mm2=0, film_slope=0, film_haze=0))


def _view(seed: int, size: tuple[int, int] = (48, 72)) -> np.ndarray:
    """A smooth random picture, as different from others as photographs are."""
    blobs = np.random.default_rng(seed).uniform(0, 255, (5, 6, 3)).astype(np.float32)
    return cv2.resize(blobs, size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)


def _rdr(folder, part, numbers, suffix=".png"):
    for number in numbers:
        _write(folder / part / "gt" / f"{number}_clean{suffix}", _view(number))
        _write(folder / part / "data" / f"{number}_rain{suffix}", 255 - _view(number))


def _index(folder, rows, header="kind,rain,clean_or_restored,source"):
    for number, row in enumerate(rows):
        for name in row.split(",")[1:3]:
            _write(folder / name, _view(number))
    (folder / "pairs.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def test_rdr_is_read_in_its_own_layout_with_any_suffix(tmp_path):
    _rdr(tmp_path, "train", [10, 2])
    _rdr(tmp_path, "test_a", [3])
    _rdr(tmp_path, "test_b", [3, 4], ".jpg")
    (tmp_path / "train" / "preview.html").touch()
    assert [pair.key for pair in load_pairs(tmp_path)] == ["test_b/3", "test_b/4", "train/10", "train/2"]
    pairs = load_pairs(tmp_path, parts=["test_a", "test_b"])
    assert [pair.photograph for pair in pairs] == ["test_a/3", "test_a/3", "test_b/4"]
    assert all(pair.true for pair in pairs)
    sides = load_pairs(tmp_path / "train")[1].read()
    assert np.array_equal(sides.clean, _view(2))
    assert np.array_equal(sides.rain, 255 - _view(2))


def test_an_index_keeps_apart_what_is_no_ground_truth(tmp_path):
    rows = ["true,t/a.png,c/a.png,x", "pseudo,p/b.png,r/b.png,x", "pseudo_small,p/c.png,r/c.png,x"]
    _index(tmp_path, rows)
    pairs = {pair.key: pair for pair in load_pairs(tmp_path)}
    assert {key: pair.true for key, pair in pairs.items()} == {"t/a.png": True, "p/b.png": False, "p/c.png": False}
    assert pairs["p/c.png"].kind == "pseudo_small"
    assert pairs["t/a.png"].clean == tmp_path / "c/a.png"


def test_an_index_may_name_photographs(tmp_path):
    rows = ["true,t/a.png,c/a.png,x,here", "true,t/b.png,c/b.png,x,here", "true,t/c.png,c/c.png,x,"]
    _index(tmp_path, rows, "kind,rain,clean_or_restored,source,photograph")
    assert [pair.photograph for pair in load_pairs(tmp_path)] == ["here", "here", "t/c.png"]


def test_damaged_layouts_are_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match="no pairs here"):
        load_pairs(tmp_path)
    _rdr(tmp_path, "train", [1, 2])
    with pytest.raises(DataError, match="no part test_a"):
        load_pairs(tmp_path, parts=["test_a"])
    (tmp_path / "train/gt/2_clean.png").unlink()
    with pytest.raises(DataError, match=r"2_rain.png: has no partner gt/2_clean; 1 such files of 2"):
        load_pairs(tmp_path)
    _write(tmp_path / "train/gt/2_clean.png", _view(2))
    _write(tmp_path / "train/gt/2_clean.jpg", _view(2))
    with pytest.raises(DataError, match="same side"):
        load_pairs(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["good,t/a.png,c/a.png,x"], "kind 'good'"),
        (["true,t/a.png,c/a.png,x", "true,t/a.png,c/a.png,x"], "listed twice"),
        (["true,t/a.png,,x"], "incomplete"),
        ([], "lists nothing"),
    ],
)
def test_damaged_indices_are_refused(tmp_path, rows, message):
    _index(tmp_path, [row for row in rows if ",," not in row])
    (tmp_path / "pairs.csv").write_text("\n".join(["kind,rain,clean_or_restored,source", *rows]) + "\n")
    with pytest.raises(DataError, match=message):
        load_pairs(tmp_path)


def test_missing_files_and_columns_are_refused(tmp_path):
    _index(tmp_path, ["true,t/a.png,c/a.png,x"])
    (tmp_path / "c/a.png").unlink()
    with pytest.raises(DataError, match=r"a.png: missing, though line 2"):
        load_pairs(tmp_path)
    (tmp_path / "pairs.csv").write_text("kind,rain\ntrue,t/a.png\n")
    with pytest.raises(DataError, match="no column 'clean_or_restored'"):
        load_pairs(tmp_path)


def test_sides_of_different_sizes_or_no_images_are_refused(tmp_path):
    _write(tmp_path / "clean.png", _view(0))
    _write(tmp_path / "rain.png", _view(0, (48, 64)))
    with pytest.raises(DataError, match=r"is 64x48 px, clean\.png of the same pair 72x48"):
        Pair("k", "k", tmp_path / "clean.png", tmp_path / "rain.png").read()
    (tmp_path / "rain.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="not a readable image"):
        Pair("k", "k", tmp_path / "clean.png", tmp_path / "rain.png").read()


def test_copies_and_views_from_one_stand_are_one_photograph():
    first, other = _view(0, (96, 144)), _view(1, (96, 144))
    _, jpeg = cv2.imencode(".jpg", cv2.resize(first, (72, 48), interpolation=cv2.INTER_AREA), [1, 50])
    moved = np.roll(first, 3, 1)
    darker = (first * 0.6).astype(np.uint8)
    grey = np.full_like(first, 128)
    pictures = [other, first, cv2.imdecode(jpeg, cv2.IMREAD_COLOR), moved, darker, grey, grey]
    names = same_photographs(list("abcdefg"), pictures)
    assert names == ["a", "b", "b", "b", "b", "f", "g"]
    assert same_photographs(["n", "n"], [first, other]) == ["n", "n"]


def _pairs(tmp_path, photographs):
    return [Pair(f"k{i}", name, tmp_path, tmp_path) for i, name in enumerate(photographs)]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_split_cuts_no_photograph(tmp_path, share):
    pairs = _pairs(tmp_path, [f"p{i // 3}" for i in range(60)])
    first, second = split_by_photograph(pairs, np.random.default_rng(0), share)
    assert len(first) == 60 * share
    assert not {pair.photograph for pair in first} & {pair.photograph for pair in second}
    assert sorted(pair.key for pair in first + second) == sorted(pair.key for pair in pairs)
    assert split_by_photograph(pairs, np.random.default_rng(0), share) == (first, second)
    assert split_by_photograph(pairs, np.random.default_rng(1), share)[0] != first


def test_a_split_leaves_no_side_empty(tmp_path):
    pairs = _pairs(tmp_path, ["big"] * 9 + ["small"])
    for seed in range(4):
        assert all(split_by_photograph(pairs, np.random.default_rng(seed), 0.99))
    with pytest.raises(ValueError, match="two photographs"):
        split_by_photograph(pairs[:9], np.random.default_rng(0), 0.5)
    with pytest.raises(ValueError, match="share"):
        split_by_photograph(pairs, np.random.default_rng(0), 1.0)


def test_both_sides_are_cut_alike_and_never_upside_down():
    rows, columns = np.mgrid[:120, :180]
    place = np.stack([rows, columns, 0 * rows], 2).astype(np.uint8)
    rng = np.random.default_rng(0)
    widths = set()
    mirrored = 0
    for _ in range(60):
        clean, rain = random_crop(Sides(place, place), (32, 48), rng)
        assert clean.shape == (32, 48, 3)
        assert np.array_equal(clean, rain)
        assert clean[-1, 0, 0] > clean[0, 0, 0]
        mirrored += int(clean[0, -1, 1] < clean[0, 0, 1])
        widths.add(round(abs(int(clean[0, -1, 1]) - int(clean[0, 0, 1])) / 10))
    assert 15 < mirrored < 45
    assert len(widths) > 5


def test_a_shrunk_crop_is_an_average_over_areas():
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    small = cut(checks, Window(0, 0, 64, 64), (16, 16))
    assert np.abs(small.astype(int) - 127.5).max() <= 1
    with pytest.raises(ValueError, match="at least"):
        draw_window((15, 64), (16, 16), np.random.default_rng(0))


def test_fixed_crops_depend_on_their_pair_alone(tmp_path):
    for number in range(3):
        _write(tmp_path / f"{number}.png", _view(number))
    pairs = [Pair(f"k{i}", f"p{i}", tmp_path / f"{i}.png", tmp_path / f"{i}.png") for i in range(3)]
    crops = fixed_crops(pairs, (24, 24), each=2, seed=5)
    assert crops.clean.shape == crops.rain.shape == (6, 24, 24, 3)
    assert crops.photographs == ("p0", "p0", "p1", "p1", "p2", "p2")
    assert np.array_equal(crops.clean, crops.rain)
    assert np.array_equal(fixed_crops(pairs[1:], (24, 24), each=2, seed=5).clean, crops.clean[2:])
    assert not np.array_equal(fixed_crops(pairs, (24, 24), each=2, seed=6).clean, crops.clean)


def test_rendered_pairs_are_a_seeded_series():
    signs = load_signs("train", count=12)
    series = RenderedPairs(signs, (32, 40), seed=3, plates=2, wetness=[PRESETS["heavy"]], renew_after=4)
    again = RenderedPairs(signs, (32, 40), seed=3, plates=2, wetness=[PRESETS["heavy"]], renew_after=4)
    pairs = [series[index] for index in range(6)]
    for index in (5, 1):  # also out of order
        assert np.array_equal(again[index].clean, pairs[index].clean)
        assert np.array_equal(again[index].rain, pairs[index].rain)
    assert all(side.shape == (32, 40, 3) and side.dtype == np.uint8 for pair in pairs for side in pair)
    assert all(not np.array_equal(*pair) for pair in pairs)
    other = RenderedPairs(signs, (32, 40), seed=4, plates=2, wetness=[PRESETS["heavy"]])
    assert not np.array_equal(other[0].clean, pairs[0].clean)


def test_rendered_pairs_renew_their_plates_and_are_aligned(tmp_path):
    _write(tmp_path / "sub" / "small.png", np.full((20, 30, 3), 90, np.uint8))
    photographs = find_photographs(tmp_path)
    dry = RenderedPairs(photographs, (32, 32), seed=0, plates=1, wetness=[DRY])
    assert np.array_equal(*dry[0])
    wet = RenderedPairs(photographs, (32, 32), seed=0, plates=1, wetness=[PRESETS["fine"]], renew_after=1)
    assert not np.array_equal(wet[0].rain, wet[1].rain)
    with pytest.raises(IndexError):
        wet[-1]
    with pytest.raises(ValueError, match="renew_after"):
        RenderedPairs(photographs, (32, 32), seed=0, renew_after=0)
    with pytest.raises(DataError, match="no such folder"):
        find_photographs(tmp_path / "none")


@pytest.mark.shared
def test_real_pairs_are_35_photographs_of_which_6_are_true(shared):
    folder = shared / "data" / "raindrop"
    pairs = load_pairs(folder)
    assert len(pairs) == len({pair.photograph for pair in pairs}) == 35
    assert sum(pair.true for pair in pairs) == 6
    assert random_crop(pairs[0].read(), (128, 128), np.random.default_rng(0)).rain.shape == (128, 128, 3)
