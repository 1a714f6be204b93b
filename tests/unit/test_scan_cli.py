import sys

import pytest

from natadv import cli
from tests.scanned_sessions import record
from tests.tiny_bundle import write_tiny_bundle

PLAN = [("r", "rr", "rggr"), ("g", "gg", "gggg")]


@pytest.fixture
def session(tmp_path):
    return record(tmp_path / "session", PLAN)


@pytest.fixture
def bundle(tmp_path):
    return write_tiny_bundle(tmp_path / "bundle")


def _natadv(monkeypatch, *words):
    """Run natadv as the command line does; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["natadv", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_scan_and_report_say_what_they_found(monkeypatch, capsys, session, bundle):
    assert _natadv(monkeypatch, "capture", "scan", session.folder, bundle, "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert "attack success rate 50.0 % (1/2, 95 % 9.5–90.5) of images; 2 hits" in out
    assert _natadv(monkeypatch, "capture", "report", session.folder) == 0
    assert str(session.folder / "report.html") in capsys.readouterr().out
    assert f"natadv capture scan {session.folder} {bundle} --device cpu" in (session.folder / "report.html").read_text(
        encoding="utf-8"
    )


def test_scanning_twice_says_that_the_figures_are_old(monkeypatch, capsys, session, bundle):
    command = ("capture", "scan", session.folder, bundle, "--device", "cpu")
    assert _natadv(monkeypatch, *command) == 0
    first = capsys.readouterr()
    assert _natadv(monkeypatch, *command) == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert "--force" not in first.err
    assert "--force" in again.err


def test_placed_drops_are_judged_where_they_were_found(monkeypatch, capsys, tmp_path, bundle):
    plan = [("r", "rr", "grrr"), ("g", "gg", "gggr"), ("b", "bb", "bbbb"), ("r", "rg", "gggg")]
    session = record(tmp_path / "session", plan, placed=(0, 1, 3))
    assert _natadv(monkeypatch, "capture", "scan", session.folder, bundle, "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert "drops as they were found, in the first frame: 50.0 % (1/2, " in out
    assert "attack success rate 66.7 % (2/3, " in out
    assert _natadv(monkeypatch, "capture", "report", session.folder) == 0
    page = (session.folder / "report.html").read_text(encoding="utf-8")
    assert "First frames, drops as they were found" in page
    assert "before 3 of 4 images" in page


def _refused(monkeypatch, capsys, *words):
    """Return the one line on standard error of a command that fails."""
    assert _natadv(monkeypatch, *words) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def test_a_torn_clip_is_one_line(monkeypatch, capsys, session, bundle):
    video = session.folder / "clips" / "0001-wet" / "video.avi"
    video.write_bytes(video.read_bytes()[:400])
    line = _refused(monkeypatch, capsys, "capture", "scan", session.folder, bundle, "--device", "cpu")
    assert "0001-wet" in line
    assert "torn" in line


def test_a_label_that_the_model_lacks_is_one_line(monkeypatch, capsys, session, tmp_path):
    other = write_tiny_bundle(tmp_path / "other", ("red", "blue", "yellow"))
    line = _refused(monkeypatch, capsys, "capture", "scan", session.folder, other, "--device", "cpu")
    assert "no label 'green'" in line


def test_a_flipped_byte_of_the_bundle_is_one_line(monkeypatch, capsys, session, bundle):
    model = bundle / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    assert "model.onnx" in _refused(monkeypatch, capsys, "capture", "scan", session.folder, bundle)


def test_a_folder_that_is_no_session_is_one_line(monkeypatch, capsys, tmp_path, bundle):
    for command in (("scan", tmp_path, bundle), ("report", tmp_path)):
        assert "not a session folder" in _refused(monkeypatch, capsys, "capture", *command)
