"""`natadv edge run` as a process: lines out, a summary at the end, a clean end on a signal."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from natadv.training.hits import evidence_folders, load_hits
from tests.tiny_bundle import BLUE, GREEN, LABELS, RED, plain, write_tiny_bundle

COMMAND = [sys.executable, "-c", "from natadv.cli import main; main()", "edge", "run"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundle")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A minute of red, green and blue in turn, at 10 frames a second."""
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=10, options={"crf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 32, 24, "rgb24"
        for number in range(600):
            image = plain((RED, GREEN, BLUE)[number % 3], (24, 32))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def frame_lines(text: str) -> list[dict[str, object]]:
    """Return what was said of frames, without the events between."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if "event" not in line]


def test_every_frame_of_a_film_is_a_line(bundle: Path, film: Path, tmp_path: Path) -> None:
    args = [bundle, "--source", film, "--fast", "--video", tmp_path / "out.mkv"]
    done = subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True, check=True, timeout=120)
    lines = frame_lines(done.stdout)
    assert [line["index"] for line in lines] == list(range(600))
    assert [line["label"] for line in lines] == ["red", "green", "blue"] * 200
    assert "600 predicted, 0 skipped" in done.stderr
    assert "CPUExecutionProvider" in done.stderr or "CUDA" in done.stderr or "Tensorrt" in done.stderr
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(bundle: Path, film: Path, tmp_path: Path, number: signal.Signals) -> None:
    args = [bundle, "--source", film, "--video", tmp_path / "out.mp4"]
    with subprocess.Popen(
        [*COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        first = [run.stdout.readline() for _ in range(5)]
        run.send_signal(number)
        rest, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    lines = frame_lines("".join([*first, rest]))
    assert 3 <= len(lines) < 600
    assert f"{len(lines)} predicted" in errors
    with av.open(str(tmp_path / "out.mp4")) as container:  # which needs its end
        assert sum(1 for _ in container.decode(video=0)) == len(lines)


def test_an_alarm_becomes_evidence_and_a_label_makes_it_training_data(bundle: Path, film: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    args = [bundle, "--source", film, "--fast", "--evidence", kept]
    done = subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True, check=True, timeout=120)
    events = [json.loads(line) for line in done.stdout.splitlines() if "event" in line]
    (saved,) = [event["text"] for event in events if event["event"] == "evidence"]
    assert [event["text"] for event in events if event["event"] == "alarm"] == ["flicker"]
    edge = COMMAND[:-1]
    listed = subprocess.run([*edge, "evidence", kept], capture_output=True, text=True, check=True, timeout=60)
    assert listed.stdout.endswith(": flicker; the model said blue; not labelled\n")
    clip = saved.partition(":")[0]
    done = subprocess.run([*edge, "label", clip, "red"], capture_output=True, text=True, check=True, timeout=60)
    assert "shows red; 20 pictures" in done.stdout
    hits = load_hits(evidence_folders(kept)[0], LABELS)
    assert len(hits) == 20
    assert all((hits.read(number)[0, 0] != RED).any() for number in range(20))


def test_it_ends_when_the_reader_of_its_lines_does(bundle: Path, film: Path) -> None:
    args = [bundle, "--source", film]
    with subprocess.Popen(
        [*COMMAND, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.wait(timeout=60) == 0
        assert "Traceback" not in run.stderr.read()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--source", "93"], "camera 93: cannot be opened"),
        (["--source", "nothing.mp4"], "no such rig, file or folder"),
        (["--source", "93", "--video", "out.avi"], "expected a video named"),
        (["--source", "93", "--fast"], "leave --fast out"),
        (["--source", "93", "--overwrite"], "--overwrite: is for --video alone"),
        (["--source", "93", "--evidence-disk", "100"], "--evidence-disk: is for --evidence alone"),
        (["--source", "93", "--evidence-memory", "512"], "--evidence-memory: is for --evidence alone"),
        (["--source", "93", "--noise-seed", "00" * 32], "leave --noise-seed out"),
        (["--source", "93", "--alarm", "score=on"], "bundle: has no detector for --alarm score=on; export it with"),
        (["--source", "93", "--evidence", "/proc/kept"], "error: /proc/kept: cannot be made (No such file"),
    ],
)
def test_what_is_wrong_is_one_line(bundle: Path, args: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, str(bundle), *args], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr


def test_a_full_disk_under_the_lines_is_one_line(bundle: Path, film: Path, small_disk: Path) -> None:
    args = [bundle, "--source", film, "--fast"]
    (small_disk / "filler").write_bytes(bytes(2 << 20))
    with (small_disk / "lines").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *map(str, args)], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    assert done.returncode == 1, done.stderr
    *_, said = done.stderr.splitlines()
    assert said == "error: standard output: the disk is full; free some space and resume"
