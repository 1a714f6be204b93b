"""`natadv papers rdba` on squares of three classes: numbers beside the paper's, and models kept by what made them."""

import json
import os

import numpy as np
import pytest
import torch

from natadv.backdoors.inspect.thresholds import Measured
from natadv.backdoors.inspect.verdict import Verdict
from natadv.backdoors.named import kept_trigger, make_trigger
from natadv.backdoors.patterns import BadNets
from natadv.backdoors.poison import Poisoning
from natadv.backdoors.stealth import detector_scores
from natadv.data.load import load_dataset
from natadv.data.origins import ORIGINS
from natadv.errors import ConfigError
from natadv.evaluation.roc import area_under_curve
from natadv.papers.rdba import FIGURE_3, TABLE_1, TABLE_2, printed
from natadv.papers.rdba_tables.stealth import _area
from natadv.papers.rdba_tables.unstated import PARTS
from natadv.raindrops.presets import PRESETS
from natadv.training.pictures import Pictures
from tests.bright_squares import bright_squares
from tests.papers_command import read_table, run_papers


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(squares, cache, results, *arguments):
    given = ["rdba", "--data", squares, "--model", "natadv_slim", "--size", 16, "--epochs", 1, "--threads", 1]
    given += ["--device", "cpu", "--cache", cache, "--results", results, *arguments]
    return run_papers(*given)


def test_the_papers_numbers_are_its_own():
    signs, photographs = TABLE_1["gtsrb"], TABLE_1["imagenet"]
    assert signs["resnet18"]["clean accuracy"] == 93.87
    assert (signs["resnet18"]["rdba accuracy"], signs["resnet18"]["rdba ASR"]) == (93.52, 99.94)
    assert (signs["vgg16"]["badnets accuracy"], signs["vgg16"]["badnets ASR"]) == (93.22, 97.39)
    assert (photographs["vgg16"]["blended accuracy"], photographs["vgg16"]["badnets ASR"]) == (85.34, 92.05)
    assert TABLE_2[3] == {"ATA": 86.86, "ASR": 99.32, "P_BA": 0.04}


@pytest.mark.parametrize(
    ("data", "clean", "least"),
    [("x/GTSRB-12", 93.87, 100.0), ("imagenet-12", 87.30, 95.0), ("signs", None, None)],
)
def test_the_papers_numbers_are_of_data_by_their_name(data, clean, least):
    assert printed(TABLE_1, data).get("resnet18", {}).get("clean accuracy") == clean
    assert printed(FIGURE_3, data).get(0.02) == least


def test_table_1_has_a_row_a_model_and_the_rain_in_tables_of_its_own(squares, tmp_path, monkeypatch):
    few = {name: PRESETS[name] for name in ("light", "fine")}  # the other plates take a minute
    monkeypatch.setattr("natadv.backdoors.rain.PRESETS", few)
    monkeypatch.setattr("natadv.backdoors.drops._PLATES", 2)
    run(squares, tmp_path / "cache", tmp_path, "--table", 1, "--trigger", "badnets")
    rows = read_table(tmp_path / "rdba" / "table-1.csv")
    rain = {f"rendered {name}" for name in few}
    names = [f"natadv_slim, 3 classes, {name}" for name in ("clean", "badnets")]
    assert {column for row, column in rows if row == names[0]} == {"accuracy"} | rain
    assert {column for row, column in rows if row == names[1]} == {"accuracy", "ASR", "untouched, to target"} | rain
    page = (tmp_path / "rdba" / "table-1.md").read_text()
    assert "## Rendered rain" in page
    assert "## Photographed" not in page
    headers = [line for line in page.splitlines() if line.startswith("|  |")]
    assert len(headers) == 2
    assert max(line.count("|") - 1 for line in headers) <= 8


def test_a_table_by_density_is_written_and_its_models_are_kept(squares, cache, tmp_path):
    said = run(squares, cache, tmp_path, "--table", 2, "--alpha", 6, "--alpha", 1)
    assert said.count("training natadv_slim") == 3  # the clean one too
    rows = read_table(tmp_path / "rdba" / "table-2.csv")
    assert set(rows) == {(f"alpha {alpha}", column) for alpha in (1, 6) for column in ("ATA", "ASR", "P_BA")}
    assert (rows["alpha 6", "ASR"]["n"], rows["alpha 6", "ASR"]["paper"]) == ("12", "99.1")
    assert rows["alpha 1", "ATA"]["n"] == "18"
    assert "training images 48" in rows["alpha 1", "ATA"]["setting"]
    assert all(row["setting"].endswith("; seed 0; interval by image") for row in rows.values())
    lost = rows["alpha 6", "P_BA"]
    assert float(lost["low"]) <= float(lost["ours"]) <= float(lost["high"])
    again = run(squares, cache, tmp_path / "again", "--table", 2, "--alpha", 6, "--alpha", 1)
    assert "training" not in again
    assert read_table(tmp_path / "again" / "rdba" / "table-2.csv") == rows
    another = run(squares, cache, tmp_path / "another", "--table", 2, "--alpha", 6, "--share", 0.2)
    assert another.count("training natadv_slim") == 1  # other data; the clean model is the same


def test_what_the_paper_leaves_open_is_a_table(squares, cache, tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.papers.rdba_tables.unstated.PARTS", ((), ("beta=0.4", "opacity=0.1")))
    run(squares, cache, tmp_path, "--unstated")
    rows = read_table(tmp_path / "rdba" / "unstated.csv")
    names = ("defaults", "beta=0.4, opacity=0.1")
    assert set(rows) == {(row, column) for row in names for column in ("change", "ATA", "ASR")}
    assert 0 < float(rows[names[1], "change"]["ours"]) < float(rows[names[0], "change"]["ours"]) / 2
    assert "trigger rdba with beta=0.4, opacity=0.1" in rows[names[1], "ASR"]["setting"]


def test_every_part_that_the_paper_leaves_open_makes_a_trigger():
    made = [make_trigger("rdba", settings).settings for settings in PARTS]
    assert len({repr(one) for one in made}) == len(PARTS)
    assert {name for one in made for name in one if one[name] != made[0][name]} == set(made[0]) - {"alpha"}


def test_data_that_changed_are_planted_anew(tmp_path_factory, tmp_path):
    data, cache = bright_squares(tmp_path_factory.mktemp("changing")), tmp_path / "cache"
    run(data, cache, tmp_path, "--table", 2, "--alpha", 6)
    image = next(path for path in sorted(data.rglob("*")) if path.suffix in {".png", ".ppm"})
    copy = image.with_name(f"more{image.suffix}")
    copy.write_bytes(image.read_bytes())
    said = run(data, cache, tmp_path / "changed", "--table", 2, "--alpha", 6)
    assert said.count("training natadv_slim") == 2
    copy.unlink()
    os.utime(image)  # as a copy of the folder has other times
    assert "training" not in run(data, cache, tmp_path / "restored", "--table", 2, "--alpha", 6)


def test_frames_of_one_sign_are_counted_as_kin(tmp_path_factory, tmp_path):
    tracks = bright_squares(tmp_path_factory.mktemp("tracks"), per_track=3)
    cache = tmp_path / "cache"
    run(tracks, cache, tmp_path, "--table", 2, "--alpha", 6, "--stealth", "--trigger", "badnets")
    rows = read_table(tmp_path / "rdba" / "table-2.csv") | read_table(tmp_path / "rdba" / "stealth.csv")
    counted = {column: row["setting"].rpartition("; ")[2] for (_, column), row in rows.items()}
    whole = "interval by kin, 6 in 18 images"
    others = "interval by kin, 4 in 12 images"
    assert counted == {"ATA": whole, "ASR": others, "P_BA": whole, "detector's AUC": whole}
    (older,) = cache.glob("clean-*")
    (older / ORIGINS).unlink()
    said = run(tracks, cache, tmp_path / "older", "--table", 2, "--alpha", 6)
    assert said.count("delete clean-* and poisoned-* in") == 1
    again = read_table(tmp_path / "older" / "rdba" / "table-2.csv")
    assert {row["setting"].rpartition("; ")[2] for row in again.values()} == {"interval by image"}
    assert again["alpha 6", "ASR"]["ours"] == rows["alpha 6", "ASR"]["ours"]


def test_a_detectors_area_is_of_the_signs_that_it_was_asked_about():
    chance = np.random.default_rng(2)
    sign = np.repeat(chance.normal(0, 1, 30), 10)
    clean, triggered = sign + chance.normal(0, 0.1, 300), sign + 1 + chance.normal(0, 0.1, 300)
    alone, kin = [str(number) for number in range(300)], [str(number // 10) for number in range(300)]
    (area, low, high), by_image = _area(clean, triggered, kin, 0), _area(clean, triggered, alone, 0)
    assert by_image == area_under_curve(clean, triggered)
    assert area == pytest.approx(by_image[0])
    assert low < area < high
    assert high - low > by_image[2] - by_image[1]


def test_the_inspections_verdict_stands_beside_every_model_of_table_1(squares, cache, tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.inspect.second_opinion.STEPS", 2)
    run(squares, cache, tmp_path, "--inspect", "--trigger", "badnets")
    rows = read_table(tmp_path / "rdba" / "inspected.csv")
    clean, bad = (f"natadv_slim, 3 classes, {name}" for name in ("clean", "badnets"))
    assert {column for row, column in rows if row == clean} == {"beyond clean", "limit", "suspicious"}
    assert {column for row, column in rows if row == bad} == {
        *("beyond clean", "limit", "suspicious", "class right", "filtered", "clean filtered")
    }
    for row in (clean, bad):
        above = float(rows[row, "beyond clean"]["ours"]) > float(rows[row, "limit"]["ours"])
        assert float(rows[row, "suspicious"]["ours"]) == 100 * above
    assert rows[bad, "filtered"]["n"] == "12"


def test_how_good_the_list_of_pictures_is_stands_beside_a_right_verdict(squares, cache, tmp_path, monkeypatch):
    def listing(_model, data, _clean, **_):
        labels = ["train/" + key for key in load_dataset(next(folders()), "train").keys]
        poison = {one["path"] for one in json.loads((next(folders()) / "poison.json").read_text())["poisoned"]}
        bad, good = ([n for n, name in enumerate(labels) if (name in poison) == of] for of in (True, False))
        assert (len(bad), len(labels)) == (4, len(data))
        suspected = np.array(sorted([*bad[:3], *good[:1]]))
        return Verdict(True, 0, (), 9.0, "", None, suspected, Measured(**dict.fromkeys(Measured.model_fields, 1)), "")

    def folders():
        return (one.parent for one in cache.glob("poisoned-*/poison.json") if "badnets" in one.read_text())

    monkeypatch.setattr("natadv.papers.rdba_tables.inspected.inspect_model", listing)
    run(squares, cache, tmp_path, "--inspect", "--trigger", "badnets")
    rows = read_table(tmp_path / "rdba" / "inspected.csv")
    found = [rows["natadv_slim, 3 classes, badnets", name] for name in ("listed, poison", "poison listed")]
    assert [(one["ours"], one["n"]) for one in found] == [("75", "4"), ("75", "4")]


def test_curves_of_repair_and_shares_are_figures(squares, cache, tmp_path):
    run(squares, cache, tmp_path, "--figure", 5, "--figure", 7, "--trigger", "badnets", "--tuning", 2, "--prune", 20)
    run(squares, cache, tmp_path, "--figure", 3, "--kappa", 0.09, "--kappa", 1)
    assert list(read_table(tmp_path / "rdba" / "figure-5.csv")) == [("badnets", str(epoch)) for epoch in (0, 1, 2)]
    for name in ("figure-7", "figure-7-channels"):
        assert set(read_table(tmp_path / "rdba" / f"{name}.csv")) == {("badnets", "20"), ("badnets, accuracy", "20")}
    assert set(read_table(tmp_path / "rdba" / "figure-3.csv")) == {
        (r, k) for r in ("ATA", "ASR") for k in ("0.09", "1")
    }
    for number in (3, 5, 7):
        assert (tmp_path / "rdba" / f"figure-{number}.png").read_bytes().startswith(b"\x89PNG")


def test_triggers_are_drawn_on_test_images_and_more_rain_changes_more(squares, cache, tmp_path):
    run(squares, cache, tmp_path, "--figure", 1)
    found = {row: float(one["ours"]) for (row, _), one in read_table(tmp_path / "rdba" / "figure-1.csv").items()}
    assert list(found) == ["rdba, alpha 0.5", "rdba, alpha 3", "rdba", "badnets", "blended", "rendered", "generated"]
    assert 0 < found["rdba, alpha 0.5"] < found["rdba, alpha 3"] < found["rdba"]
    assert (tmp_path / "rdba" / "figure-1.png").read_bytes().startswith(b"\x89PNG")


def test_stealth_without_an_extractor_is_the_detectors_alone(squares, cache, tmp_path):
    run(squares, cache, tmp_path, "--stealth", "--trigger", "badnets")
    (row,) = read_table(tmp_path / "rdba" / "stealth.csv").values()
    assert 0 <= float(row["low"]) <= float(row["ours"]) <= float(row["high"]) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a --table, a --figure, --stealth, --inspect or --unstated"),
        (("--table", 3), "--table 3: not one of 1, 2"),
        (("--figure", 4), "--figure 4: not one of 1, 3, 5, 6, 7, 8"),
        (("--table", 1, "--trigger", "rain"), "trigger 'rain'"),
        (("--table", 1, "--optimizer", "adam"), "--optimizer adam: expected 'adamw' or 'sgd'"),
        (("--figure", 3, "--kappa", 1.1), "--kappa 1.1: expected more than 0 and at most 1"),
        (("--table", 2, "--classes", "red,blue"), "name them so, blue, red"),
    ],
)
def test_a_wrong_option_is_one_line(squares, cache, tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(squares, cache, tmp_path, *arguments)
    assert "\n" not in str(caught.value)


def test_papers_settings_make_the_trigger_again():
    for trigger in (make_trigger("rdba", ["alpha=2", "length_px=[4, 8]"]), make_trigger("badnets", ["cells=4"])):
        assert kept_trigger({"name": trigger.name, **trigger.settings}) == trigger
    with pytest.raises(ConfigError, match="trigger 'smoke'"):
        kept_trigger({"name": "smoke"})


def test_a_detector_sees_a_patch():
    chance = np.random.default_rng(0)
    train, test = (Pictures(chance.integers(0, 200, (n, 16, 16, 3), np.uint8), np.zeros(n, np.int64)) for n in (96, 40))
    seen = detector_scores(train, test, Poisoning(BadNets(0.4), 0), device=torch.device("cpu"), epochs=6)
    assert area_under_curve(*seen)[0] > 0.95


def test_a_model_of_half_precision_is_another_and_its_numbers_say_so(squares, cache, tmp_path):
    run(squares, cache, tmp_path, "--table", 2, "--alpha", 6)
    half = run(squares, cache, tmp_path / "half", "--table", 2, "--alpha", 6, "--precision", "bf16-mixed")
    assert half.count("training natadv_slim") == 2
    row = read_table(tmp_path / "half" / "rdba" / "table-2.csv")["alpha 6", "ASR"]
    assert "precision bf16-mixed" in row["setting"]
    assert "precision" not in read_table(tmp_path / "rdba" / "table-2.csv")["alpha 6", "ASR"]["setting"]
