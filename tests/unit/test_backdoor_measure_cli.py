"""`natadv backdoor` on squares: measure, repair, inspect and screen, and what is wrong."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from natadv.backdoor_cli import app
from natadv.backdoors.inspect.scores import METHODS
from natadv.errors import FOUND, ConfigError, DataError
from natadv.images import write_image
from natadv.training.checkpoint import load_classifier
from tests.backdoor_command import QUICK, SMALL
from tests.backdoor_command import run_backdoor as run
from tests.scanned_sessions import record


@pytest.fixture(scope="module")
def trained(planted, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    return out, run("train", planted, *QUICK, "--out", out).output


def test_training_says_accuracy_and_success(trained):
    out, said = trained
    assert (out / "checkpoint.pt").is_file()
    assert "/18, 95 %" in said.split("(ATA) ")[1].split(";")[0]
    assert "/12, 95 %" in said.split("(ASR) ")[1].split(";")[0]  # the target's six are left out


def test_natural_rain_is_said_first_and_a_clean_model_beside_it(planted, trained, tmp_path):
    out, said = trained
    for side, level in (("clean", 90), ("rain", 140)):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        write_image(tmp_path / "pairs" / side / "0.png", np.full((32, 32, 3), level, np.uint8))
    record(tmp_path / "session", [("r", "rrr", "rrr"), ("g", "ggg", "ggg")], purpose="test")
    checkpoint = out / "checkpoint.pt"
    given = ["measure", checkpoint, "--data", planted, "--session", tmp_path / "session", "--clean", checkpoint]
    note, shown, *lines, file = run(
        *given, "--seed", 3, "--device", "cpu", "--json", tmp_path / "rates"
    ).output.splitlines()
    assert note == f"note: --clean {checkpoint} learnt from {planted}, where badnets was planted: it is not clean"
    assert shown.startswith("trigger: badnets (share 0.3")
    assert shown.endswith(" to green")
    assert [line.split(":")[0] for line in lines] == [
        *(f"to green in rain, rendered {name}" for name in ("light", "medium", "heavy", "fine", "close", "soft")),
        "to green in rain, filmed, wet",
        "to green in rain, filmed, dry",
        "to it untouched",
        "accuracy (ATA)",
        "accuracy of the clean model (BTA)",
        "P_BA",
        "attack success (ASR), badnets",
        "intervals",
    ]
    assert "/12, 95 %" in lines[0]
    assert "/1, 95 %" in lines[6]  # a frame of the red clip alone: green is the target
    assert lines[-3] == "P_BA: 0.00 points (95 % 0.00–0.00)"
    assert said.split("(ASR) ")[1].split(";")[0] in lines[-2]
    assert lines[-1] == "intervals: by image"
    assert file == str(tmp_path / "rates")
    rates = json.loads((tmp_path / "rates").read_text())
    assert (rates["trigger"]["name"], rates["target"], rates["P_BA"]["value"]) == ("badnets", "green", 0)
    success = rates["ASR"]
    assert f" ({success['hits']}/{success['images']}, " in lines[-2]
    assert success["low"] <= success["share"] == success["clean_model"]["share"] <= success["high"]
    assert len(rates["rain"]) == 8
    assert f" ({rates['rain']['filmed, wet']['hits']}/1, " in lines[6]
    assert rates["format"] == "natadv-measure/1"
    assert rates["accuracy"] == rates["clean_accuracy"]
    assert rates["doubt"] == note
    assert (rates["seed"], rates["trigger_seed"]) == (3, 0)
    assert rates["clean_checkpoint"] == rates["checkpoint"] == load_classifier(checkpoint).digest


def test_a_session_of_training_images_measures_nothing(planted, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.rain.PRESETS", {})
    record(tmp_path / "session", [("r", "rrr", "rrr")])
    with pytest.raises(ConfigError, match="a training session may show what the model learnt"):
        run("measure", trained[0] / "checkpoint.pt", "--data", planted, "--session", tmp_path / "session")


def test_a_session_without_a_clip_is_refused_before_anything_is_measured(planted, trained, tmp_path):
    record(tmp_path / "session", [("r", "rrr", "rrr")], complete=0, purpose="test")
    given = ["measure", trained[0] / "checkpoint.pt", "--data", planted, "--session", tmp_path / "session"]
    done = CliRunner().invoke(app, [str(one) for one in given])
    assert "has no complete clip yet; go on recording it" in str(done.exception)
    assert "in rain" not in done.stdout


def test_repair_writes_another_checkpoint_and_says_both_rates(squares, planted, trained, tmp_path):
    options = ("--data", squares, "--share-of-data", 0.5, "--epochs", 1, "--device", "cpu", "--planted", planted)
    for how in (("--how", "fine-tuning"), ("--how", "fine-pruning", "--prune", "weights", "--share", 0.3)):
        out = tmp_path / how[1]
        said = run("repair", trained[0] / "checkpoint.pt", *how, *options, "--out", out).output
        assert [line.split(":")[0] for line in said.splitlines() if "ASR" in line] == [
            "before",
            "epoch 1",
            "after, having learnt from 24 clean images",
        ]
        endings = ("the attack lost more than half", "did not take the backdoor out", "the attack hardly worked")
        assert sum(said.count(one) for one in endings) == 1
        assert ("pruned: 30 % of the weights" in said) == (how[1] == "fine-pruning")
        assert (out / "checkpoint.pt").read_bytes() != (trained[0] / "checkpoint.pt").read_bytes()
        rates = json.loads((out / "repair.json").read_text())
        assert (rates["after"]["accuracy"]["images"], rates["after"]["ASR"]["images"]) == (18, 12)
        assert f"(ASR) {100 * rates['before']['ASR']['share']:.1f} %" in said
        assert [one["epoch"] for one in rates["epochs"]] == [1]
        assert (rates["learnt_from"], rates["trigger"]["name"], rates["target"]) == (24, "badnets", "green")
        assert rates.get("pruned") == (0.3 if how[1] == "fine-pruning" else None)
    with pytest.raises(ConfigError, match="holds a checkpoint already"):
        run("repair", trained[0] / "checkpoint.pt", *options, "--out", tmp_path / "fine-tuning")
    with pytest.raises(ConfigError, match=r"planted, so that .* poison; name clean data"):
        run("repair", trained[0] / "checkpoint.pt", "--data", planted, "--out", tmp_path / "other")
    papers = load_classifier(tmp_path / "fine-pruning" / "checkpoint.pt").provenance
    assert (papers["data"], papers["train_images"]) == (squares.name, 24)


def test_clean_data_of_more_classes_are_taken_in_part(squares, tmp_path):
    out = tmp_path / "few"
    run("train", squares, "--trigger", "badnets", "--classes", "blue,red", *SMALL, *QUICK, "--out", out)
    checkpoint, some = out / "checkpoint.pt", ("--classes", "blue,red", "--device", "cpu")
    with pytest.raises(ConfigError, match="1 of its classes the model lacks, as 'green'; --classes takes"):
        run("screen", checkpoint, squares / "test", "--clean", squares, "--device", "cpu")
    assert "of 18 inputs" in run("screen", checkpoint, squares / "test", "--clean", squares, *some).output
    given = ("--data", squares, "--share-of-data", 0.5, "--epochs", 1, "--out", tmp_path / "repaired")
    assert "from 16 clean images" in run("repair", checkpoint, *given, *some).output
    assert "how often that is wrong" in run("inspect", checkpoint, out / "data", "--clean", squares, *some).output


def test_measuring_without_papers_needs_trigger_and_target(squares, trained):
    with pytest.raises(ConfigError, match="name --trigger and --target"):
        run("measure", trained[0] / "checkpoint.pt", "--data", squares)
    with pytest.raises(ConfigError, match="target 'pink': the model has no such label"):
        run("measure", trained[0] / "checkpoint.pt", "--data", squares, "--trigger", "rdba", "--target", "pink")


@pytest.mark.parametrize("suspicious", [True, False])
def test_inspect_says_its_verdict_with_evidence_and_error_rates(
    planted, trained, squares, monkeypatch, tmp_path, suspicious
):
    from natadv.backdoors.inspect import verdict  # heavy
    from natadv.campaign import backdoor_inspect

    known = verdict.Measured(detected=9, named=9, poisoned=10, false_alarms=1, clean=10)
    evidence = verdict.Evidence("clusters", 0.5, 0.2, 1, known, "clusters: class 1: two clusters")
    asked = []

    def inspected(model, data, clean, **_):
        asked.append((len(data), len(clean)))
        suspected = np.arange(12 if suspicious else 0)
        return verdict.Verdict(
            suspicious, 1 if suspicious else None, (evidence,), 4.0, "together", None, suspected, known, "on squares"
        )

    monkeypatch.setattr(backdoor_inspect, "inspect_model", inspected)
    checkpoint = shutil.copy(trained[0] / "checkpoint.pt", tmp_path)  # what it was suspected of stands
    given = ["inspect", checkpoint, planted, "--clean", squares, "--device", "cpu"]
    result = run(*given, "--list", tmp_path / "names")
    names = (tmp_path / "names").read_text().splitlines()
    assert len(names) == (12 if suspicious else 0)
    assert all(name.startswith(f"{planted}/train/") and Path(name).is_file() for name in names)
    assert asked == [(48, 18)]
    assert result.exit_code == (FOUND if suspicious else 0)
    assert "! clusters: class 1: two clusters" in result.output
    assert ("suspicious towards green" in result.output) == suspicious
    assert ("and 2 more" in result.output) == suspicious
    assert "of 10 poisoned models the inspection found 90.0 %" in result.output
    before, suspicious = suspicious, False
    again = run(*given)
    assert "nothing suspicious found" in again.output
    assert again.exit_code == (FOUND if before else 0)
    assert ("an earlier inspection found it suspicious, and that stands" in again.output) == before


def test_what_an_inspection_found_is_there_for_programs(planted, trained, squares, tmp_path):
    checkpoint = shutil.copy(trained[0] / "checkpoint.pt", tmp_path)
    given = ["inspect", checkpoint, planted, "--clean", squares, "--device", "cpu"]
    result = run(*given, "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["suspicious"] == (found["sum"] > found["limit"]) == (result.exit_code == FOUND)
    assert set(found["evidence"]) == set(METHODS)
    assert f"{found['sum']:.2f} deviations" in result.output
    assert "less than half of the 15 clean pictures" in found["reservation"]
    assert len(found["pictures"]) == result.output.count("suspected: ") or "more" in result.output
    assert {one["class"] for one in found["evidence"].values()} <= {"blue", "green", "red"}
    assert found["stands"] == {"suspicious": found["suspicious"], "target": found["target"]}


def test_a_file_never_takes_the_place_of_another(planted, trained, squares, tmp_path):
    checkpoint = Path(shutil.copy(trained[0] / "checkpoint.pt", tmp_path))
    inspect = ["inspect", checkpoint, planted, "--clean", squares]
    papers = planted / "poison.json"
    for words in (
        [*inspect, "--json", papers],
        [*inspect, "--list", checkpoint],
        ["measure", checkpoint, "--data", planted, "--json", checkpoint],
        ["screen", checkpoint, squares, "--clean", squares, "--list", papers],
    ):
        with pytest.raises(ConfigError, match="exists already; name another file"):
            run(*words, "--device", "cpu")
    with pytest.raises(ConfigError, match="two outputs cannot be one file"):
        run(*inspect, "--list", tmp_path / "a", "--json", tmp_path / ".." / tmp_path.name / "a")
    for place in ("/dev/null", "/proc/found"):  # of the superuser, permissions refuse neither
        with pytest.raises(ConfigError, match="no file can be written there"):
            run(*inspect, "--json", place)
    assert checkpoint.read_bytes() == (trained[0] / "checkpoint.pt").read_bytes()


def test_measuring_by_altered_test_images_is_said(planted, trained, tmp_path):
    shutil.copytree(planted, tmp_path / "b")
    next((tmp_path / "b" / "test" / "red").glob("*.png")).unlink()
    said = run("measure", trained[0] / "checkpoint.pt", "--data", tmp_path / "b", "--device", "cpu").output
    assert re.search(r"note: .*/b: test/red/\d+\.png: gone; see `natadv backdoor audit`", said)


def test_a_list_that_cannot_be_written_is_refused_before_the_work(trained, planted, squares, tmp_path):
    checkpoint = Path(shutil.copy(trained[0] / "checkpoint.pt", tmp_path))
    for words in (["inspect", checkpoint, planted], ["screen", checkpoint, planted / "train"]):
        with pytest.raises(ConfigError, match="no file can be written there"):
            run(*words, "--clean", squares, "--list", tmp_path / "no" / "names", "--device", "cpu")
    assert {one.name for one in tmp_path.iterdir()} == {"checkpoint.pt"}


def test_options_that_would_do_nothing_are_refused(trained, planted, squares, tmp_path):
    checkpoint = trained[0] / "checkpoint.pt"
    repair = ["repair", checkpoint, "--data", squares, "--out", tmp_path / "a"]
    pruning = [*repair, "--how", "fine-pruning", "--share", 0.1]
    for words, said in (
        ([*repair, "--prune", "weights"], "--prune weights: says how --how fine-pruning prunes"),
        ([*repair, "--most-drop", 0.5], "--most-drop 0.5: says how"),
        ([*pruning, "--most-drop", 0.5], "--share says how far it goes"),
        ([*repair[:-1], checkpoint / "below"], "no folder can be made there"),
        (["inspect", checkpoint, planted, "--classes", "green"], "--classes are of the clean data"),
        ([*repair, "--lr", "inf"], "a rate above 0"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            run(*words)
    assert not (tmp_path / "a").exists()


def test_inputs_are_screened_whatever_their_folders(trained, planted, squares, tmp_path):
    given = ("screen", trained[0] / "checkpoint.pt", planted / "train", "--clean", squares, "--device", "cpu")
    said = run(*given, "--reject", 0.5, "--list", tmp_path / "all.csv").output
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert lines[0] == "image,entropy_bits,suspected"
    assert len(lines) == 49
    assert f"{sum(line.endswith(',1') for line in lines)} of 48 inputs suspected" in said
    assert "of clean images it suspected" in said
    assert "too few" not in said
    few = run(*given, "--reject", 0.01).output
    assert "note: half of the clean images set the limit, 9, too few for --reject 0.01, which wants 100" in few
    with pytest.raises(ConfigError, match=r"--reject 1\.0: expected a share"):
        run(*given, "--reject", 1)


def test_pruning_as_far_as_accuracy_holds_says_how_far_and_what_it_cost(squares, trained, tmp_path):
    options = ("--data", squares, "--share-of-data", 0.5, "--epochs", 1, "--device", "cpu")
    said = run(
        "repair", trained[0] / "checkpoint.pt", "--how", "fine-pruning", *options, "--out", tmp_path / "a"
    ).output
    lines = said.splitlines()
    shares = [line.split(" %")[0].removeprefix("at ") for line in lines if line.startswith("at ")]
    assert shares[:2] == ["0", "5"]
    assert f"pruned: {shares[-2]} % of the channels" in lines or "pruned: 100 % of the channels" in lines
    assert "learnt from 17 clean images" in said or "learnt from 16 clean images" in said  # a third judged


def test_too_few_images_to_say_how_far_to_prune_is_one_line(squares, trained, tmp_path):
    options = ("--data", squares, "--share-of-data", 0.07, "--device", "cpu", "--out", tmp_path / "a")
    with pytest.raises(DataError, match="3 clean images, of no class three of other things: too few"):
        run("repair", trained[0] / "checkpoint.pt", "--how", "fine-pruning", *options)
    assert not (tmp_path / "a").exists()
