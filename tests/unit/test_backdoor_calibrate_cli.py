"""`natadv backdoor calibrate` on squares: suspects of any network, gone on with, and read by `inspect`."""

import json
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from natadv.backdoor_cli import app
from natadv.backdoors.inspect.calibration.folder import CalibrationRecipe
from natadv.errors import ConfigError, DataError

QUICK = ("--size", 16, "--epochs", 1, "--tune", 4, "--measure", 4, "--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def calibrated(squares, tmp_path_factory):
    out = tmp_path_factory.mktemp("calibrated") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("natadv.backdoors.inspect.second_opinion.STEPS", 2)
        return out, run("calibrate", squares, "--out", out, *QUICK).output


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_says_how_often_verdicts_are_wrong_and_on_what_models(calibrated, squares):
    out, said = calibrated
    kept = json.loads((out / "calibration.json").read_text())
    assert kept["model"] == "natadv_slim"
    assert kept["size_px"] == 16
    assert kept["tuning"] == [0, 1, 2, 3]
    assert kept["measuring"] == [4, 5, 6, 7]
    measured = kept["with_clean"]["measured"]
    assert (measured["poisoned"], measured["clean"]) == (2, 2)
    assert f"natadv_slim at 16 px, {squares.name}'s 3 classes, some 16 training pictures" in said
    assert f"found {100 * measured['detected'] / 2:.1f} % ({measured['detected']}/2" in said
    assert f"suspected {100 * measured['false_alarms'] / 2:.1f} %" in said
    assert "without clean pictures: found" in said
    assert str(out / "calibration.json") in said


def test_more_suspects_go_on_with_the_known_ones_past_the_spent(calibrated, squares, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.inspect.second_opinion.STEPS", 2)
    out, _ = calibrated
    known = (out / "suspects.jsonl").read_text().splitlines()
    run("calibrate", squares, "--out", out, *QUICK, "--spent", 2)
    after = (out / "suspects.jsonl").read_text().splitlines()
    assert after[: len(known)] == known
    assert [json.loads(line)["number"] for line in after] == list(range(10))
    assert json.loads((out / "calibration.json").read_text())["measuring"] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("given", "named"),
    [(("--epochs", 2), "epochs 1, not 2"), (("--size", 24), "size_px 16, not 24")],
)
def test_other_settings_do_not_go_on_in_the_same_folder(calibrated, squares, given, named):
    kept = (calibrated[0] / "recipe.yaml").read_text()
    with pytest.raises(ConfigError, match=named):
        run("calibrate", squares, "--out", calibrated[0], *QUICK, *given)
    assert (calibrated[0] / "recipe.yaml").read_text() == kept


def test_other_pictures_do_not_go_on_in_the_same_folder(calibrated, squares, tmp_path):
    out = shutil.copytree(calibrated[0], tmp_path / "out")
    kept = yaml.safe_load((out / "recipe.yaml").read_text())
    (out / "recipe.yaml").write_text(yaml.safe_dump({**kept, "pictures": "0" * 128}))
    with pytest.raises(ConfigError, match="was begun with pictures"):
        run("calibrate", squares, "--out", out, *QUICK)


def test_a_damaged_recipe_is_named(squares, tmp_path):
    (tmp_path / "recipe.yaml").write_text("- no\n- recipe\n")
    with pytest.raises(DataError, match=r"recipe\.yaml: damaged"):
        run("calibrate", squares, "--out", tmp_path, *QUICK)


def test_a_wrong_option_is_named_as_it_was_typed(squares, tmp_path):
    with pytest.raises(ConfigError, match=r"--size 8: .*16 or more"):
        run("calibrate", squares, "--out", tmp_path / "a", "--size", 8)
    assert not (tmp_path / "a").exists()


def test_tuned_and_measured_suspects_never_meet():
    tuning, measuring = CalibrationRecipe(data="", tuning=16, spent=20, measuring=40).numbers
    assert (tuning, measuring) == (range(16), range(36, 76))


def test_inspect_takes_the_calibration(calibrated, squares, tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.inspect.second_opinion.STEPS", 2)
    run("train", squares, "--trigger", "badnets", "--size", 16, "--epochs", 1, "--batch-size", 8,
        "--device", "cpu", "--threads", 1, "--out", tmp_path / "model")  # fmt: skip
    model, data = tmp_path / "model" / "checkpoint.pt", tmp_path / "model" / "data"
    ours = run("inspect", model, data, "--clean", squares, "--calibration", calibrated[0] / "calibration.json")
    assert "natadv_slim at 16 px" in ours.output
    assert "note: this model" not in ours.output
    shipped = run("inspect", model, data, "--clean", squares)
    assert "natadv_slim at 32 px" in shipped.output
    assert "note: this model is natadv_slim at 16 px" in shipped.output
