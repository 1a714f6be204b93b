import sys
from pathlib import Path

import numpy as np
import pytest

from natadv.durable import append_line, exchange_folders, new_folder, replace_file
from natadv.errors import DataError, ResourceError
from natadv.images import write_image
from rigs.clip import write_clip
from rigs.frame import Frame


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


def test_a_replaced_file_is_the_old_or_the_new_one(small_disk):
    path = small_disk / "file"
    replace_file(path, b"old")
    with pytest.raises(ResourceError, match=r"disk/file: the disk is full"):
        replace_file(path, bytes(4 << 20))
    assert path.read_bytes() == b"old"
    replace_file(path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in small_disk.iterdir()] == [("file", b"new")]
    with pytest.raises(DataError, match=r"file/deeper: cannot be written"):
        replace_file(path / "deeper", b"new")


def test_an_image_that_does_not_fit_says_that_the_disk_is_full(small_disk):
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    with pytest.raises(ResourceError, match=r"noise.png: the disk is full"):
        write_image(small_disk / "noise.png", noise)


def two_folders(place):
    for name in ("one", "other"):
        (place / name).mkdir()
        (place / name / "file").write_text(name)
    return place / "one", place / "other"


def test_two_folders_are_exchanged(tmp_path):
    one, other = two_folders(tmp_path)
    exchange_folders(one, other)
    assert (one / "file").read_text() == "other"
    assert (other / "file").read_text() == "one"


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_folders_are_exchanged_in_one_step(tmp_path, monkeypatch):
    one, other = two_folders(tmp_path)
    monkeypatch.setattr(Path, "rename", lambda *names: pytest.fail("in more than one step"))
    exchange_folders(one, other)
    assert (one / "file").read_text() == "other"


def test_folders_are_exchanged_where_the_system_has_no_step_for_it(tmp_path, monkeypatch):
    one, other = two_folders(tmp_path)
    (tmp_path / ".other.old" / "left of a kill").mkdir(parents=True)
    monkeypatch.setattr("natadv.durable._exchanged_at_once", lambda one, other: False)
    exchange_folders(one, other)
    assert (one / "file").read_text() == "other"
    assert (other / "file").read_text() == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_an_exchange_that_fails_half_way_is_undone(tmp_path, monkeypatch):
    _, other = two_folders(tmp_path)
    monkeypatch.setattr("natadv.durable._exchanged_at_once", lambda one, other: False)
    with pytest.raises(DataError, match="other: cannot be written"):
        exchange_folders(tmp_path / "nowhere", other)
    assert (other / "file").read_text() == "other"
    monkeypatch.undo()
    with pytest.raises(DataError, match="other: cannot be written"):
        exchange_folders(tmp_path / "nowhere", other)
    assert (other / "file").read_text() == "other"
