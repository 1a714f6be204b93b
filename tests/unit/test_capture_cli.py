import json

import pytest
import yaml
from typer.testing import CliRunner

from capture import events
from capture.cli import app
from capture.journal import Journal
from rigs.archive import open_archive
from tests.recording import begun
from tests.tiny_bundle import write_tiny_bundle

run = CliRunner().invoke


@pytest.fixture
def arguments(tmp_path):
    begun(tmp_path, labels=2, each=2)  # its rig and images; the session is another
    return [
        "run",
        str(tmp_path / "rig.yaml"),
        str(tmp_path / "images"),
        "--out",
        str(tmp_path / "s"),
        "--seconds",
        "0.3",
    ]


def _rules(tmp_path, **rules):
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules))
    return ["--rules", str(path)]


def test_what_was_given_up_is_said_and_tried_again_when_asked(tmp_path, arguments):
    wet = _rules(tmp_path, checks={"coverage": [0.99, 1.0], "retries": 0, "skipped_in_a_row": 9})
    first = run(app, [*arguments, *wet])
    assert first.exit_code == 0, first.output
    assert "0 images recorded" in first.output
    assert "4 images skipped" in first.output
    again = run(app, [*arguments, *wet, "--resume"])
    assert "0 images recorded" in again.output
    third = run(app, [*arguments, "--resume", "--retry-skipped"])
    assert "4 skipped images are tried again" in third.output
    assert open_archive(tmp_path / "s").manifest().fate(0).attempt == 2
    watched = run(app, ["watch", str(tmp_path / "s")])
    assert watched.exit_code == 0
    assert "0 of 4, 4 skipped" in watched.output
    assert "complete: 0 of 4 images recorded, 4 skipped" in watched.output


def test_a_range_that_was_not_covered_is_said_in_the_last_line_and_after(tmp_path, arguments, monkeypatch):
    recorded = run(app, arguments)
    assert recorded.exit_code == 0, recorded.output
    words = "the stated range is not covered: "
    assert words in next(line for line in recorded.output.splitlines() if "4 images recorded" in line)
    stopped = Journal(tmp_path / "s").snapshot().stopped
    assert words in stopped.reason
    monkeypatch.setattr(events, "COVERED", 0.05)
    recorded = run(app, [*arguments, "--resume"])
    assert recorded.exit_code == 0, recorded.output
    assert "not covered" not in recorded.output
    assert Journal(tmp_path / "s").snapshot().coverage.enough


def test_other_checks_than_the_session_began_with_are_refused(tmp_path, arguments):
    assert run(app, arguments).exit_code == 0
    other = run(app, [*arguments, *_rules(tmp_path, checks={"retries": 9}), "--resume"])
    assert other.exit_code == 1
    assert "begun with checks" in str(other.exception)


def test_faults_on_purpose_are_counted_and_do_not_make_another_rig(tmp_path, arguments):
    rig = tmp_path / "rig.yaml"
    plain = rig.read_text()
    rig.write_text(plain + "\nfaults: {stage: {alarm: 0.3}}\n")
    quick = _rules(tmp_path, reconnect={"tries": 30, "first_s": 0.01, "longest_s": 0.01})
    faulty = run(app, [*arguments, *quick])
    assert faulty.exit_code == 0, faulty.output
    assert "faults made on purpose: stage alarm" in faulty.output
    assert "4 images recorded" in faulty.output
    assert json.loads((tmp_path / "s/session.json").read_text())["rig"]["faults"]["stage"]["alarm"] == 0.3
    rig.write_text(plain)
    assert run(app, [*arguments, "--resume"]).exit_code == 0


def test_bundles_look_on_while_it_records(tmp_path, arguments):
    bundle = write_tiny_bundle(tmp_path / "onlooker", labels=("00", "01"))
    keep = _rules(tmp_path, checks={"wrong_control": "keep"})
    found = run(app, [*arguments, *keep, "--scan", str(bundle)])
    assert found.exit_code == 0, found.output
    watched = run(app, ["watch", str(tmp_path / "s"), "--once"])
    assert "onlooker" in watched.output
    assert "images fool it" in watched.output


def test_a_bundle_that_is_none_is_said_before_anything_is_recorded(tmp_path, arguments):
    found = run(app, [*arguments, "--scan", str(tmp_path / "none")])
    assert found.exit_code == 1
    assert not (tmp_path / "s/manifest.jsonl").exists()
