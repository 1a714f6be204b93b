"""A process that is killed while it writes, drops or labels evidence leaves nothing torn."""

import csv
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge.evidence import AlarmInfo, Answer, EvidenceStore, evidence_clips
from edge.labelling import label_clip
from natadv.errors import DataError
from natadv.training.hits import evidence_folders, load_hits
from rigs.frame import Frame
from rigs.geometry import whole

LABELS = ("red", "green", "blue")
# Room for four clips of 38 kB: while the oldest goes for a new one that is not yet there, three stay.
BUDGET = 160_000

# Writes clips within a small budget, so that old ones go all the time, and labels every other one.
WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import numpy as np
from edge.evidence import AlarmInfo, Answer, EvidenceStore
from edge.labelling import label_clip
from rigs.frame import Frame
from rigs.geometry import whole
folder, begin = Path(sys.argv[1]), int(sys.argv[2])
labels = ("red", "green", "blue")
rng = np.random.default_rng(begin)
with EvidenceStore(folder, max_bytes=int(sys.argv[3])) as store:
    for number in range(10_000):
        frames = [Frame(rng.integers(0, 256, (24, 32, 3), np.uint8), k, k / 10) for k in range(6)]
        answers = [Answer(index=k, timestamp_s=k / 10, label="green", confidence=0.9) for k in range(6)]
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=begin, seconds=number)
        info = AlarmInfo(at=at, signs=("flicker",), said="green", source="0", model_sha256="0" * 64, labels=labels)
        clip = store.write(frames, answers, info, geometry=whole((24, 32)))
        print("kept", flush=True)
        if number % 2:
            label_clip(clip.archive.folder, labels[number % 3])
"""


def test_killed_writers_leave_whole_clips_and_the_next_clears_up(tmp_path: Path) -> None:
    folder, rng = tmp_path / "kept", random.Random(4)  # any times will do, the same each run
    for begin in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, str(begin), str(BUDGET)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            for _ in range(rng.randrange(1, 9)):
                assert writer.stdout.readline() == b"kept\n"
            time.sleep(rng.uniform(0, 0.05))
            writer.kill()
        clips = evidence_clips(folder)
        for clip in clips:
            clip.archive.clip(clip.archive.settings.items[0], "wet", *clip.archive.records()).verify()
            assert len(clip.answers()) == 6
        # Pictures are listed and there, or not there at all; the label is the clip's.
        for labelled in (folder / "labelled").glob("2*"):
            if labelled.suffix == ".part":
                continue
            hits = load_hits(labelled, LABELS)
            assert all(hits.read(place).shape == (24, 32, 3) for place in range(len(hits)))
        assert clips
    with EvidenceStore(folder, max_bytes=BUDGET):
        assert not [path for path in folder.iterdir() if path.suffix in (".part", ".gone")]
    assert (
        sum(path.stat().st_size for clip in clips for path in clip.archive.folder.rglob("*") if path.is_file())
        <= BUDGET
    )


# Gives the clip of copies of a folder a label, and ends each time at a later moment at which files are about to change.
LABELLER = """
import os, shutil, sys
from pathlib import Path
from edge.evidence import evidence_clips
from edge.labelling import label_clip
base, copies, label, from_s, to_s = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
part = {name: float(text) for name, text in (("from_s", from_s), ("to_s", to_s)) if text}
left = 1 << 30

def hook(event, given):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "open"):
        if event == "open" and not given[2] & (os.O_WRONLY | os.O_RDWR):
            return
        left -= 1
        if left == 0:
            os._exit(9)

sys.addaudithook(hook)
for moment in range(1, 10_000):
    folder = copies / str(moment)
    shutil.copytree(base, folder)
    child = os.fork()
    if child == 0:
        left = moment
        label_clip(evidence_clips(folder)[0].archive.folder, label, **part)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(moment, code, flush=True)
    if code != 9:
        sys.exit(code)
"""

FIRST, SECOND = (None, 0.25), (0.25, None)
WHOLE = (None, None)
Given = tuple[str, tuple[float | None, float | None]]


def give(folder: Path, given: Given) -> None:
    (clip,) = evidence_clips(folder)
    label, (from_s, to_s) = given
    label_clip(clip.archive.folder, label, from_s=from_s, to_s=to_s)


def check_labels(folder: Path) -> None:
    """Check that a label has its pictures, all pictures are there, and no frame is trained on under two labels."""
    (clip,) = evidence_clips(folder)
    try:
        found = evidence_folders(folder)
    except DataError:
        found = []
    labels: dict[str, str] = {}
    for labelled in found:
        hits = load_hits(labelled, LABELS)
        assert all(hits.read(place).shape == (24, 32, 3) for place in range(len(hits)))
        with (labelled / "provenance.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                assert labels.setdefault(row["frame_index"], row["label"]) == row["label"]
                assert clip.label in (None, row["label"])
    if clip.label is not None:
        assert [one.name for one in found] == [clip.name]
    clip.parts()


@pytest.mark.parametrize(
    ("before", "killed"),
    [
        ([], ("red", WHOLE)),
        ([("red", WHOLE)], ("blue", WHOLE)),
        ([("red", FIRST), ("blue", SECOND)], ("red", WHOLE)),
        ([("red", FIRST)], ("blue", FIRST)),
        ([("red", FIRST)], ("blue", SECOND)),
    ],
)
def test_labelling_that_is_killed_at_any_moment_can_be_done_anew(
    tmp_path: Path, before: list[Given], killed: Given
) -> None:
    base, copies = tmp_path / "base", tmp_path / "copies"
    rng = np.random.default_rng(0)
    frames = [Frame(rng.integers(0, 256, (24, 32, 3), np.uint8), k, k / 10) for k in range(6)]
    answers = [Answer(index=k, timestamp_s=k / 10, label="green", confidence=0.9) for k in range(6)]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    info = AlarmInfo(at=at, signs=("flicker",), said="green", source="0", model_sha256="0" * 64, labels=LABELS)
    with EvidenceStore(base, max_bytes=BUDGET) as store:
        store.write(frames, answers, info, geometry=whole((24, 32)))
    for given in before:
        give(base, given)
    label, times = killed
    words = ["" if one is None else str(one) for one in times]
    ended = subprocess.run(
        [sys.executable, "-c", LABELLER, base, copies, label, *words], capture_output=True, check=False, text=True
    )
    assert ended.returncode == 0, ended.stderr
    moments = sorted(copies.iterdir(), key=lambda folder: int(folder.name))
    assert len(moments) > 10
    for number, folder in enumerate(moments):
        check_labels(folder)
        (clip,) = evidence_clips(folder)
        # Then somebody goes on: with a part, where the clip has no label as a whole, or with the whole.
        again: Given = ("red", FIRST) if number % 2 and clip.label is None else ("blue", WHOLE)
        give(folder, again)
        check_labels(folder)
        with EvidenceStore(folder, max_bytes=BUDGET):
            assert not list((folder / "labelled").glob("*.part"))
