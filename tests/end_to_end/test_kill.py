"""A session killed at any moment and resumed loses no completed clip and records none twice."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from capture.journal import Reader
from rigs.archive import MANIFEST, open_archive
from tests.rig_files import image_folder, small_rig


def _run(*arguments: object) -> subprocess.Popen:
    # A shell's background jobs inherit an ignored SIGINT; here it is the one of a terminal, wherever the tests run.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = f"{listen}; import natadv.cli; natadv.cli.main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "capture", "run", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _clips(folder: Path) -> dict[str, int]:
    """The clips that are there under their final names, and which folder each is."""
    return {clip.name: clip.stat().st_ino for clip in (folder / "clips").glob("*") if clip.suffix != ".part"}


def _state(folder: Path) -> tuple[set[str], int]:
    """What changes while a session records: names of clips, begun or finished, and the length of the manifest."""
    manifest = folder / MANIFEST
    names = {path.name for path in (folder / "clips").glob("*")}
    return names, manifest.stat().st_size if manifest.exists() else 0


# Every twentieth call or so of a screen, stage or sprayer fails, and a frame in a thousand.
FAULTS = """
faults:
  stall_s: 0.02
  camera: {stall: 0.001, disconnect: 0.001, torn: 0.001, late: 0.001}
  screen: {wrong: 0.05, late: 0.05}
  stage: {alarm: 0.03, wrong: 0.03, disconnect: 0.02}
  sprayer: {stall: 0.03, late: 0.03}
"""
RULES = """
checks: {retries: 20}
reconnect: {tries: 50, first_s: 0.01, longest_s: 0.01}
"""


def _kill_and_resume(tmp_path: Path, kills: int, *, faulty: bool = False) -> None:
    # More images than the session can finish between kills: each life ends soon after it has begun to write.
    images = image_folder(tmp_path / "images", labels=6, each=max(4, kills * 2 // 5))
    rig = small_rig(tmp_path, width_px=320, height_px=240)
    folder = tmp_path / "session"
    arguments = [rig, images, "--out", folder, "--resume", "--seconds", "1"]
    if faulty:
        rig.write_text(rig.read_text() + FAULTS)
        (tmp_path / "rules.yaml").write_text(RULES)
        arguments += ["--rules", tmp_path / "rules.yaml"]
    chance = random.Random(kills)
    before: dict[str, int] = {}
    torn = 0
    for number in range(kills):
        begun = _state(folder)
        process = _run(*arguments)
        give_up_s = time.monotonic() + 120
        while _state(folder) == begun and process.poll() is None and time.monotonic() < give_up_s:
            time.sleep(0.005)
        if number == 1:  # whatever chance does, one falls into the writing of a clip
            while not list((folder / "clips").glob("*.part")) and process.poll() is None:
                time.sleep(0.001)
        else:
            time.sleep(chance.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, said.decode()
        torn += bool(list((folder / "clips").glob("*.part")))
        after = _clips(folder)
        assert before.items() <= after.items(), "a completed clip was lost or recorded again"
        before = after
    assert torn, "no kill fell into the writing of a clip"
    process = _run(*arguments)
    _, said = process.communicate(timeout=900)
    assert process.returncode == 0, said.decode()
    assert before.items() <= _clips(folder).items()
    archive = open_archive(folder)
    assert not archive.missing()
    records = archive.records()
    assert len(records) == len({(record.item, record.kind) for record in records}) == 2 * len(archive.settings.items)
    items = {item.number: item for item in archive.settings.items}
    for record in records:
        clip = archive.clip(items[record.item], record.kind)
        clip.verify()
        assert clip.info.pixels_sha256 == record.pixels_sha256
    assert not list((folder / "clips").glob("*.part"))
    events = [event.kind for event in Reader(folder).events()]
    assert events.count("began") > kills / 2
    assert events[-1] == "stopped"
    if faulty:
        assert "device-lost" in events
        assert "reshot" in events


def test_three_kills_among_faults(tmp_path):
    _kill_and_resume(tmp_path, 3, faulty=True)


def test_three_kills(tmp_path):
    _kill_and_resume(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_kills(tmp_path):
    _kill_and_resume(tmp_path, 30)


def test_ctrl_c_stops_with_one_line_and_resumes(tmp_path):
    images = image_folder(tmp_path / "images", labels=2, each=4)
    rig = small_rig(tmp_path)
    folder = tmp_path / "session"
    process = _run(rig, images, "--out", folder)
    while not (folder / MANIFEST).exists():
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().strip().splitlines()[-1].startswith("stopped; what is complete is kept")
    archive = open_archive(folder)
    assert 0 < len(archive.missing()) < 16
    again = _run(rig, images, "--out", folder, "--resume")
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said.decode()
    assert not open_archive(folder).missing()
