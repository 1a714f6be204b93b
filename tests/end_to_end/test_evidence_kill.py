"""A process that is killed while it writes, drops or labels evidence leaves nothing torn."""

import random
import subprocess
import sys
import time
from pathlib import Path

from edge.evidence import EvidenceStore, evidence_clips
from natadv.training.hits import load_hits

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
