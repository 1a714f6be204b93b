"""Every bad input is one clear line on standard error and exit code 1, with nothing half-written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig_files import SIMULATED, image_folder, small_rig
from tests.tiny_bundle import tiny_model, write_tiny_bundle


def _fails(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "import natadv.cli; natadv.cli.main()", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A folder with a rig, two images, a session of them, and a bundle for their labels."""
    home = tmp_path_factory.mktemp("recorded")
    image_folder(home / "images", labels=2, each=1)
    rig = small_rig(home)
    words = ("capture", "run", rig, home / "images", "--out", home / "session", "--seconds", "0.3")
    subprocess.run([sys.executable, "-c", "import natadv.cli; natadv.cli.main()", *map(str, words)], check=True)
    write_tiny_bundle(home / "bundle", labels=("00", "01"))
    return home


def test_an_unknown_key_names_line_and_nearest(tmp_path):
    rig = tmp_path / "rig.yaml"
    rig.write_text(SIMULATED.read_text().replace("travel_mm", "travle_mm"))
    said = _fails("capture", "run", rig, tmp_path, "--out", tmp_path / "session")
    assert "rig.yaml, line " in said
    assert "did you mean `travel_mm`" in said


def test_a_missing_image_folder(tmp_path):
    said = _fails("capture", "run", "simulated", tmp_path / "nowhere", "--out", tmp_path / "session")
    assert "nowhere: no such folder" in said
    assert not (tmp_path / "session").exists()


def test_an_unreadable_image(tmp_path):
    image_folder(tmp_path / "images")
    (tmp_path / "images/00/1.png").write_bytes(b"")
    said = _fails("capture", "run", "simulated", tmp_path / "images", "--out", tmp_path / "session")
    assert "00/1.png: not a readable image" in said
    assert not (tmp_path / "session").exists()


def test_another_rig_cannot_go_on_with_a_session(recorded):
    said = _fails("capture", "run", "simulated", recorded / "images", "--out", recorded / "session", "--resume")
    assert "not the rig that" in said


def test_a_session_is_not_overwritten(recorded):
    said = _fails("capture", "run", "simulated", recorded / "images", "--out", recorded / "session")
    assert "--resume" in said


def test_a_label_that_the_model_lacks(recorded, tmp_path):
    write_tiny_bundle(tmp_path / "bundle", labels=("00", "stop"))
    said = _fails("capture", "scan", recorded / "session", tmp_path / "bundle")
    assert "01" in said
    assert not (recorded / "session/scans").exists()


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "golden.npz"])
def test_a_bundle_with_one_flipped_byte(recorded, tmp_path, name):
    shutil.copytree(recorded / "bundle", tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert name in _fails("capture", "scan", recorded / "session", tmp_path / "bundle")
    assert name in _fails("edge", "run", tmp_path / "bundle", "--source", recorded / "images")


def test_a_bundle_of_another_input_size(recorded, tmp_path):
    labels = ("00", "01")
    model = tiny_model(labels, size=(16, 16)).SerializeToString()
    bundle = write_tiny_bundle(tmp_path / "bundle", labels=labels, model=model)
    for words in (("capture", "scan", recorded / "session", bundle), ("edge", "run", bundle, "--source", "simulated")):
        said = _fails(*words)
        assert "[16, 16, 3]" in said
        assert "export the model at this size" in said
    assert not (recorded / "session/scans").exists()


def _fill(disk: Path, left: int) -> None:
    """Leave so many bytes of a disk."""
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - left))


def test_recording_onto_a_full_disk(recorded, small_disk):
    _fill(small_disk, 0)
    said = _fails("capture", "run", recorded / "rig.yaml", recorded / "images", "--out", small_disk / "session")
    assert "free some space" in said
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_scanning_on_a_full_disk(recorded, small_disk):
    shutil.copytree(recorded / "session", small_disk / "session")
    _fill(small_disk, 4096)
    said = _fails("capture", "scan", small_disk / "session", recorded / "bundle")
    assert "the disk is full; free some space" in said
    assert not list(small_disk.glob("session/scans/*/*"))


def test_a_torn_clip(recorded, tmp_path):
    shutil.copytree(recorded / "session", tmp_path / "session")
    video = tmp_path / "session/clips/0001-wet/video.avi"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    said = _fails("capture", "scan", tmp_path / "session", recorded / "bundle")
    assert "0001-wet/video.avi: torn" in said
    assert not list((tmp_path / "session").glob("scans/*/*"))


def test_what_is_no_session(tmp_path, recorded):
    assert "not a session folder" in _fails("capture", "scan", tmp_path, recorded / "bundle")
    assert "not a session folder" in _fails("capture", "report", tmp_path)


def test_cuda_where_there_is_none(recorded):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    said = _fails("edge", "run", recorded / "bundle", "--source", recorded / "images", "--device", "cuda")
    assert "cuda" in said.lower()
    said = _fails("capture", "scan", recorded / "session", recorded / "bundle", "--device", "cuda")
    assert "cuda" in said.lower()
