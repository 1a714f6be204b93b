"""`natadv robustness` on a tiny classifier: report, cache, processes, picture, refusals."""

import csv
import shutil

import pytest
from typer.testing import CliRunner

from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import Rate
from natadv.images import read_image
from natadv.robustness_cli import app
from tests.colours import write_colours
from tests.tiny_classifier import write_tiny_classifier

run = CliRunner().invoke


@pytest.fixture
def given(tmp_path):
    write_colours(tmp_path / "colours")
    model = write_tiny_classifier(tmp_path / "tiny.onnx")
    return [str(model), "--data", str(tmp_path / "colours"), "--device", "cpu", "--out", str(tmp_path / "out")]


def table(tmp_path):
    with (tmp_path / "out" / "robustness.csv").open(newline="") as file:
        return {(row["defense"], row["attack"]): row for row in csv.DictReader(file)}


def test_a_report_says_what_is_left_and_what_misleads(given, tmp_path):
    wanted = ["--attack", "fgsm", "--attack", "ni-", "--defense", "rain:bicubic", "--eot", "3", "--show", "2"]
    done = run(app, [*given, *wanted])
    assert done.exit_code == 0, done.output
    found = table(tmp_path)
    assert set(found) == {
        ("none", "fgsm"),
        ("none", "ni-"),
        *(("rain:bicubic", a) for a in ("fgsm", "eot-fgsm", "ni-", "eot-ni-")),
    }
    assert float(found["none", "fgsm"]["robust"]) < 50
    assert found["rain:bicubic", "eot-fgsm"]["samples"] == "3"
    report = (tmp_path / "out" / "report.md").read_text()
    assert report in done.output
    assert "6/6" in report
    assert (
        "| Without a defence | 100.0 [61.0–100.0] (6/6) | 100.0 [61.0–100.0] (6/6) | 0.0 [0.0–39.0] (0/6) fgsm "
        "| 0.0 [0.0–39.0] (0/6) |" in report
    )
    assert "**May mislead:** single noise draw" in report
    assert read_image(tmp_path / "out" / "picture.png").shape[0] > 300


def test_of_equals_the_report_names_the_attack_that_changes_least_and_another_size_is_said(given, tmp_path):
    done = run(app, [*given, "--attack", "cw", "--attack", "fgsm", "--size", "24"])
    assert done.exit_code == 0, done.output
    report = (tmp_path / "out" / "report.md").read_text()
    assert float(table(tmp_path)["none", "cw"]["robust"]) == float(table(tmp_path)["none", "fgsm"]["robust"]) == 0
    assert "(0/6) fgsm |" in report
    assert "**May mislead:** images are attacked at 24x24 px, and tiny is for" in report


def test_accuracy_is_also_told_of_all_images(given, tmp_path):
    reds = sorted((tmp_path / "colours" / "test" / "red").iterdir())
    for picture in reds[:2]:  # the model cannot know that these are green
        shutil.copy(picture, tmp_path / "colours" / "test" / "green" / f"not_{picture.name}")
    done = run(app, [*given, "--attack", "fgsm", "--defense", "rain:bicubic", "--plain-only"])
    assert done.exit_code == 0, done.output
    assert "75.0 % (6/8" in done.output
    found = table(tmp_path)
    assert (found["none", "fgsm"]["clean_of_all"], found["none", "fgsm"]["all_n"]) == ("75", "8")
    for row in found.values():  # RAIN makes no red green either
        assert float(row["clean_of_all"]) == pytest.approx(0.75 * float(row["clean"]))


def test_a_second_run_computes_nothing_anew(given, tmp_path):
    wanted = ["--attack", "fgsm", "--defense", "shift", "--plain-only"]
    first = run(app, [*given, *wanted]).output
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cache").iterdir()}
    assert len(before) == 2
    assert run(app, [*given, *wanted]).output == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cache").iterdir()} == before
    assert "no adaptive attack" in first


def test_a_limit_of_queries_is_kept_and_said(given, tmp_path):
    done = run(app, [*given, "--attack", "rays", "--attack", "fgsm", "--queries", "7"])
    assert done.exit_code == 0, done.output
    assert "queries 7" in (tmp_path / "out" / "report.md").read_text()
    found = table(tmp_path)
    assert 3 <= float(found["none", "rays"]["queries"]) <= 7 + 2  # the looks at the clean image and at the found one


def test_two_processes_come_to_the_same(given, tmp_path):
    wanted = ["--attack", "pgd", "--defense", "shift", "--plain-only", "--batch-size", "2"]
    alone = run(app, [*given, *wanted]).output
    both = run(app, [*given[:-1], str(tmp_path / "other"), *wanted, "--workers", "2"])
    assert both.exit_code == 0, both.output
    assert both.output.replace("other", "out") == alone


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--attack", "fgms"], "attack 'fgms': expected one of"),
        (["--defense", "rian"], "defence rian: expected none"),
        (["--attack", "fgsm", "--attack", "fgsm"], "attack fgsm: named twice"),
        (["--queries", "99", "--attack", "pgd"], "--queries 99: no attack asked for has such a limit; nes, zoo, rays"),
        (["--count", "99"], "there are only 6 images"),
        (
            ["--plain-only", "--eot", "20"],
            "--eot 20: --plain-only leaves out the attacks that average; drop one of them",
        ),
    ],
)
def test_wrong_names_are_refused_before_anything_is_written(given, wrong, words, tmp_path):
    done = run(app, [*given, *wrong])
    assert isinstance(done.exception, ConfigError)
    assert words in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_model_that_answers_nan_is_refused(given, tmp_path):
    """`argmax` takes NaN for the largest answer, so all images of one class would count as right."""
    write_tiny_classifier(tmp_path / "tiny.onnx", sharpness=float("nan"))
    done = run(app, given)
    assert isinstance(done.exception, DataError)
    assert "tiny: answers NaN" in str(done.exception)


def test_frames_of_one_sign_widen_the_intervals_and_the_report_says_so(given, tmp_path):
    colours = tmp_path / "colours" / "test"
    for label in ("red", "green", "blue"):
        for number, path in enumerate(sorted((colours / label).iterdir())):
            path.rename(path.with_name(f"00007_{number:05}.png"))
    done = run(app, [*given, "--attack", "fgsm"])
    assert done.exit_code == 0, done.output
    assert "intervals by kin, 3 in 6 images" in done.output
    row = table(tmp_path)["none", "fgsm"]
    robust, low, high = (float(row[name]) for name in ("robust", "low", "high"))
    assert robust == 0
    assert (low, high) == pytest.approx([100 * end for end in Rate(0, 3).interval], abs=1e-3)


def test_a_missing_network_is_refused(given):
    done = run(app, [*given, "--defense", "rain:nothing.pt"])
    assert isinstance(done.exception, DataError)
    assert "nothing.pt: cannot be read" in str(done.exception)


def test_an_average_over_passes_that_are_alike_is_the_plain_attack(given, tmp_path):
    done = run(app, [*given, "--attack", "eot-fgsm"])
    assert done.exit_code == 0, done.output
    assert table(tmp_path)["none", "eot-fgsm"]["samples"] == "0"
