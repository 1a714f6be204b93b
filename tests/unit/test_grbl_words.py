"""What a controller says: whole lines out of torn bytes, and nothing made of garbage."""

import random

import pytest

from rigs.stage.grbl_words import LineBuffer, Reply, Status, read_reply, read_setting, read_status, read_welcome

REPORT = "<Run|MPos:-9.800,12.000,-18.680|FS:4866,0|Ov:100,100,100|A:F>"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (REPORT, Status("Run", True, (-9.8, 12.0, -18.68))),
        ("<Idle|MPos:0.000,0.000,0.000,1.500|Bf:35,1023|FS:0,0>", Status("Idle", True, (0, 0, 0, 1.5))),
        ("<Hold:1|MPos:0.000,0.000,0.000|FS:0,0>", Status("Hold", False, (0, 0, 0))),
        ("<Hold:0|MPos:0.000,0.000,0.000|FS:0,0>", Status("Hold", True, (0, 0, 0))),
        ("<Idle|WPos:1.000,0.000,0.000|FS:0,0>", Status("Idle", True, None)),
    ],
)
def test_reports(line, status):
    assert read_status(line) == status


@pytest.mark.parametrize("cut", range(1, len(REPORT)))
def test_a_report_without_its_end_or_beginning_is_none(cut):
    assert read_status(REPORT[:cut]) is None
    assert read_status(REPORT[cut:]) is None


@pytest.mark.parametrize(
    "line",
    [
        "<Run|MPos:-9.800,12.0é0,-18.680|FS:4866,0>",
        "<Run|MPos:-9.800,12.000|FS:4866,0>",
        "<Run|MPos:-9.800,,-18.680|FS:4866,0>",
        "<Run|MPos:-9.800,1e999,-18.680|FS:4866,0>",
        "<Rux|MPos:-9.800,12.000,-18.680|FS:4866,0>",
        "<Run|MPos:-9.800,1<Idle|MPos:0.000,0.000,0.000>",
        "<>",
        "",
    ],
)
def test_a_garbled_report_is_none(line):
    assert read_status(line) is None


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("ok", Reply("ok")),
        ("error:9", Reply("error", 9)),
        ("ALARM:2", Reply("ALARM", 2)),
        ("okok", None),
        ("ok:1", None),
        ("error:", None),
        ("error", None),
        (">G54:ok", None),
        ("[MSG:ok]", None),
    ],
)
def test_replies(line, reply):
    assert read_reply(line) == reply


def test_settings_and_welcomes():
    assert read_setting("$120=400.000") == (120, 400.0)
    assert read_setting("$N0=G54") is None
    assert read_welcome("Grbl 1.1h ['$' for help]") == ("Grbl", 1, 1)
    assert read_welcome("GrblHAL 1.1f ['$' or '$HELP' for help]") == ("GrblHAL", 1, 1)
    assert read_welcome("Grbl 0.9j ['$' for help]") == ("Grbl", 0, 9)
    assert read_welcome("Marlin 2.0") is None


@pytest.mark.parametrize("seed", range(20))
def test_lines_come_whole_however_the_bytes_come(seed):
    chance = random.Random(seed)
    lines = [REPORT, "ok", "[MSG:Caution: Unlocked]", "error:9", "ok"]
    data = "".join(line + chance.choice(["\r\n", "\n", "\r\n\r\n"]) for line in lines).encode()
    buffer, found = LineBuffer(), []
    while data:
        size = chance.randint(1, 9)
        found += buffer.feed(data[:size])
        data = data[size:]
    assert found == lines


def test_noise_without_an_end_does_not_fill_the_memory_and_the_next_line_is_read():
    buffer = LineBuffer()
    for _ in range(1000):
        assert buffer.feed(bytes(range(128, 256))) == []
    assert len(buffer._rest) < 10_000
    assert buffer.feed(b"\r\nok\r\n")[-1] == "ok"
