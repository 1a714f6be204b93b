"""A bundle that is overwritten is the old or the new one, for whoever reads it and whenever the writer is killed."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from edge.bundle import FILES, SIGNATURE, read_bundle, write_bundle
from edge.classifier import Classifier
from edge.signature import read_signed, sign_bundle
from natadv.errors import NatadvError
from tests.signing_keys import keys
from tests.tiny_bundle import write_tiny_bundle

CHECKOUT = Path(__file__).resolve().parents[2]
OLD, NEW = ("old", "green", "blue"), ("new", "green", "blue")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the two bundles in it, and an empty one for what is written."""
    write_tiny_bundle(tmp_path / "old", OLD)
    write_tiny_bundle(tmp_path / "new", NEW)
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def writer(place: Path, *more: str) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "tests.bundle_writer",
        place / "bundle",
        place.parent / "old",
        place.parent / "new",
    ]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "TMPDIR": str(place.parent)}
    return subprocess.Popen([*command, *more], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)


def killed_at_random(place: Path, kills: int) -> None:
    chance = random.Random(kills)
    names = Counter()
    written = False
    for _number in range(kills):
        process = writer(place)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        names.update(path.name for path in place.iterdir())
        written = written or (place / "bundle").exists()  # a busy machine kills more than one writer before its first
        if written:
            assert read_bundle(place / "bundle").manifest.labels in (OLD, NEW)
    assert names.keys() > {"bundle"}, "no kill fell into the writing"
    write_bundle(place / "bundle", read_bundle(place.parent / "old"), overwrite=True)
    assert [path.name for path in place.iterdir()] == ["bundle"]


def test_a_writer_is_killed_at_random_times(place: Path) -> None:
    killed_at_random(place, 8)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_writer_is_killed_two_hundred_times(place: Path) -> None:
    killed_at_random(place, 200)


def test_a_writer_is_killed_at_each_of_its_steps(place: Path) -> None:
    write_tiny_bundle(place / "bundle", OLD)
    process = writer(place, "everywhere")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    found = json.loads(said)
    assert found["status"] == 0
    assert len(found["seen"]) > 20
    assert set(found["seen"]) == {"old", "new"}
    assert set(found["left"]) >= {"bundle", ".bundle.new", ".bundle.new.part"}
    assert found["after"] == ["bundle"]


def test_a_signer_is_killed_at_each_of_its_steps(place: Path) -> None:
    write_tiny_bundle(place / "bundle", OLD)
    for name in ("old", "new"):
        keys(place.parent, name)
    process = writer(place, "signing")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    found = json.loads(said)
    assert found["status"] == 0
    assert len(found["seen"]) > 20
    # Before the first signature has its name there is none; then it is the one or the other, and always a whole one.
    signed = list(itertools.dropwhile(lambda who: who == "nobody", found["seen"]))
    assert set(signed) == {"old", "new"}
    assert set(found["left"]) == {*FILES, SIGNATURE, f"{SIGNATURE}.part"}
    assert set(found["after"]) == {*FILES, SIGNATURE}


def test_a_bundle_whose_signer_was_killed_is_read_signed_and_overwritten(place: Path) -> None:
    bundle = write_tiny_bundle(place / "bundle", OLD)
    left = bundle / f"{SIGNATURE}.part"
    left.write_bytes(b"{")
    assert read_bundle(bundle).manifest.labels == OLD
    write_tiny_bundle(bundle, NEW, overwrite=True)
    assert not left.exists()
    left.write_bytes(b"{")
    private, public = keys(place.parent, "ours")
    sign_bundle(bundle, private)
    assert read_signed(bundle, public).manifest.labels == NEW
    assert not left.exists()


def reads(place: Path, count: int) -> Counter:
    """What so many readers got while a writer was at it."""
    write_tiny_bundle(place / "bundle", OLD)
    process = writer(place)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    found: Counter = Counter()
    try:
        for _ in range(count):
            try:
                found[read_bundle(place / "bundle").manifest.labels] += 1
            except NatadvError as error:
                found[str(error)] += 1
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate(timeout=60)
    return found


def test_a_reader_gets_the_old_or_the_new_one(place: Path) -> None:
    assert reads(place, 400).keys() == {OLD, NEW}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_thousand_readers_get_the_old_or_the_new_one(place: Path) -> None:
    assert reads(place, 20_000).keys() == {OLD, NEW}


def test_a_classifier_opens_while_its_bundle_is_overwritten(place: Path) -> None:
    write_tiny_bundle(place / "bundle", OLD)
    process = writer(place)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        for _ in range(5):
            with Classifier(place / "bundle", device="cpu", threads=1) as classifier:
                assert classifier.labels in (OLD, NEW)
    finally:
        process.kill()
        process.communicate(timeout=60)
