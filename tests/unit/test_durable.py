import subprocess

import numpy as np
import pytest

from natadv.durable import append_line, new_folder
from natadv.errors import DataError, ResourceError
from rigs.clip import write_clip
from rigs.frame import Frame


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_folder_appears_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "new") as part:
        (part / "file").write_text("x")
        assert not (tmp_path / "deep" / "new").exists()
    assert (tmp_path / "deep" / "new" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]


def test_a_folder_that_fails_is_not_there(tmp_path):
    with pytest.raises(RuntimeError, match="half way"), new_folder(tmp_path / "new") as part:
        (part / "file").write_text("x")
        raise RuntimeError("half way")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_replaced(tmp_path):
    (tmp_path / "new.part").mkdir()
    (tmp_path / "new.part" / "old").write_text("x")
    with new_folder(tmp_path / "new") as part:
        (part / "file").write_text("x")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_a_line_that_was_cut_off_is_ended_before_the_next(tmp_path):
    path = tmp_path / "lines"
    append_line(path, "one")
    path.write_text(path.read_text() + "tw")
    append_line(path, "three")
    assert path.read_text() == "one\ntw\nthree\n"


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"file/line"):
        append_line(tmp_path / "file" / "line", "one")


def test_a_full_disk_is_one_line_and_nothing_half_written(small_disk):
    noise = np.random.default_rng(0).integers(0, 256, (20, 128, 128, 3), np.uint8)
    frames = [Frame(image, n, n / 30) for n, image in enumerate(noise)]
    write_clip(small_disk / "fits", frames[:10], 30)
    with pytest.raises(ResourceError, match=r"the disk is full; free some space") as caught:
        for number in range(20):
            write_clip(small_disk / f"clip{number}", frames, 30)
    assert "\n" not in str(caught.value)
    assert not list(small_disk.glob("*.part"))
