"""A live run takes its next model, and it or the export is killed: nothing is torn, and the run goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.bundle import read_bundle
from edge.evidence import EvidenceStore, evidence_clips
from natadv.images import write_image
from natadv.models.classifier import create_classifier
from natadv.training.checkpoint import save_checkpoint

LABELS = ("ahead", "stop")
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two checkpoints of the same labels, pictures that leave any model unsure, and the bundle of one checkpoint."""
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = create_classifier("natadv_slim", LABELS, (32, 32), stem=4, widths=(4, 8, 8))
        save_checkpoint(tmp_path / f"{seed}.pt", model, metrics={}, recipe={}, provenance={})
    rng = np.random.default_rng(0)
    for label in LABELS:
        (tmp_path / "film" / label).mkdir(parents=True)
        for number in range(40):
            write_image(tmp_path / "film" / label / f"{number}.png", rng.integers(0, 256, (48, 48, 3), np.uint8))
    export(tmp_path, 0, tmp_path / "live")
    return tmp_path


def export(place: Path, seed: int, out: Path) -> None:
    process = natadv("export", place / f"{seed}.pt", "--out", out, "--least-images", 0)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def natadv(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = "import natadv.cli; natadv.cli.main()"
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(
        [sys.executable, "-c", command, *map(str, arguments)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def live(place: Path) -> subprocess.Popen[str]:
    source = ("--source", place / "film", "--image-s", 1)
    kept = ("--evidence", place / "kept", "--evidence-disk", 2)
    # Any answer is an alarm, and two are enough: a window of fifteen would not fill between two swaps, which empty it.
    alarmed = ("--alarm", "confidence=1", "--alarm", "frames=2", "--alarm", "changes=off")
    return natadv("edge", "run", place / "live", *source, "--watch", "--steady-threshold", 0, *alarmed, *kept)


def digests(place: Path) -> set[str]:
    """What the bundle may be: the one or the other."""
    found = set()
    for seed in (0, 1):
        out = place / f"whole-{seed}"
        if not out.exists():
            export(place, seed, out)
        found.add(read_bundle(out).manifest.model_sha256)
    return found


def check(place: Path, whole: set[str]) -> None:
    """The bundle is one of the two, and every clip that is there is whole."""
    assert read_bundle(place / "live").manifest.model_sha256 in whole
    for clip in evidence_clips(place / "kept") if (place / "kept").exists() else []:
        clip.archive.clip(clip.archive.settings.items[0], "wet", *clip.archive.records()).verify()
        clip.answers()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_export_that_is_killed_leaves_a_whole_bundle_and_a_run_that_goes_on(place: Path) -> None:
    whole, chance = digests(place), random.Random(1)
    swapped = 0
    with natadv("edge", "run", place / "live", "--source", "simulated", "--watch", "--seconds", 600) as run:
        assert run.stderr is not None
        assert "model" in run.stderr.readline()
        for number in range(8):
            process = natadv(
                "export", place / f"{number % 2}.pt", "--out", place / "live", "--overwrite", "--least-images", 0
            )
            # The last ones finish; the others die while torch is imported, the graph is made, or the files are written.
            if number < 6:
                time.sleep(chance.uniform(3, 9))
                process.kill()
            process.communicate(timeout=300)
            check(place, whole)
            assert run.poll() is None
        time.sleep(5)
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=60)
        swapped = said.count("swapped:")
    assert run.returncode == 0, said
    assert swapped >= 1, said


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_that_is_killed_while_it_swaps_leaves_whole_clips(place: Path) -> None:
    whole, chance = digests(place), random.Random(2)
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.bundle_writer", place / "live", place / "whole-0", place / "whole-1"],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.DEVNULL,
    )
    try:
        for number in range(6):
            awaited = "evidence: " if number % 3 == 2 else "swapped: "
            with live(place) as run:
                assert run.stderr is not None
                said: list[str] = []
                while not said or awaited not in said[-1]:
                    said.append(run.stderr.readline())
                    assert said[-1], f"the run ended without {awaited!r}: {said}"
                time.sleep(chance.uniform(0, 1))
                run.kill()
            check(place, whole)
    finally:
        writer.kill()
        writer.wait(60)
    assert evidence_clips(place / "kept")
    with EvidenceStore(place / "kept", max_bytes=1 << 30):  # the next run clears away what was left half
        assert not [path for path in (place / "kept").iterdir() if path.suffix in (".part", ".gone")]
