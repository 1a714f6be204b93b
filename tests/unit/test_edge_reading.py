"""A bundle's files are read together, and only files are read."""

import os
import shutil
from pathlib import Path

import pytest

from edge import reading
from edge.bundle import GOLDEN, MANIFEST, MODEL, read_bundle, write_bundle
from edge.reading import read_together
from natadv.durable import exchange_folders
from natadv.errors import BundleError, ConfigError
from tests.tiny_bundle import write_tiny_bundle

MOST = {"a": 100, "b": 100}


def two_files(folder: Path, text: str) -> Path:
    folder.mkdir()
    for name in MOST:
        (folder / name).write_text(text)
    return folder


def test_files_are_read(tmp_path: Path) -> None:
    assert read_together(two_files(tmp_path / "x", "one"), MOST) == {"a": b"one", "b": b"one"}


def test_links_to_files_and_to_the_folder_are_followed(tmp_path: Path) -> None:
    folder = two_files(tmp_path / "x", "one")
    (folder / "a").rename(tmp_path / "elsewhere")
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "current").symlink_to(folder)
    assert read_together(tmp_path / "current", MOST) == {"a": b"one", "b": b"one"}


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    folder = two_files(tmp_path / "x", "one")
    for make in (
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to("/dev/stdin"),
        lambda path: path.mkdir(),
    ):
        (folder / "b").unlink()
        make(folder / "b")
        with pytest.raises(BundleError, match="x/b: is not a file"):
            read_together(folder, MOST)
        shutil.rmtree(folder)
        two_files(folder, "one")
    (folder / "b").unlink()
    (folder / "b").symlink_to("b")
    with pytest.raises(BundleError, match="x/b: cannot be read"):
        read_together(folder, MOST)


def test_a_file_that_is_exchanged_as_it_is_opened_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = two_files(tmp_path / "x", "one")
    look = os.stat

    def look_and_exchange(path: object, **more: object) -> os.stat_result:
        found = look(path, **more)
        if path == "b":
            (folder / "b").unlink()
            os.mkfifo(folder / "b")
        return found

    monkeypatch.setattr(reading.os, "stat", look_and_exchange)
    with pytest.raises(BundleError, match="x/b: is not a file"):
        read_together(folder, MOST)


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    folder = two_files(tmp_path / "x", "one")
    (folder / "b").write_bytes(b"")
    assert read_together(folder, MOST) == {"a": b"one", "b": b""}
    (folder / "b").unlink()
    (folder / "b").symlink_to("/proc/version")  # says that it has no bytes; another of the kind may be endless
    assert read_together(folder, MOST) == {"a": b"one", "b": b""}


@pytest.mark.parametrize("size", [101, 1 << 40])
def test_files_that_are_too_large_are_not_read(tmp_path: Path, size: int) -> None:
    folder = two_files(tmp_path / "x", "one")
    os.truncate(folder / "b", size)
    with pytest.raises(BundleError, match=rf"x/b: has {size} bytes, at most 100 are read"):
        read_together(folder, MOST)


def test_a_file_that_grows_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = two_files(tmp_path / "x", "one")
    look = os.fstat

    def look_and_grow(descriptor: int) -> os.stat_result:
        found = look(descriptor)
        with (folder / "b").open("a") as file:
            file.write("more")
        return found

    monkeypatch.setattr(reading.os, "fstat", look_and_grow)
    with pytest.raises(BundleError, match=r"x/[ab]: changes while it is read"):
        read_together(folder, MOST)


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name in ("file", "loop", "pipe", "nowhere"):
        with pytest.raises(BundleError, match=rf"{name}: no such bundle \("):
            read_together(tmp_path / name, MOST)
    with pytest.raises(FileNotFoundError) as caught:
        read_together(two_files(tmp_path / "x", "one"), {"a": 100, "c": 100})
    assert caught.value.filename == "c"


def test_a_folder_that_is_replaced_meanwhile_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its first file and its second, the old folder is exchanged for the new one and deleted."""
    folder, new = two_files(tmp_path / "x", "old"), two_files(tmp_path / "new", "new")
    open_one = reading._open

    def open_and_exchange(path: Path, place: int) -> object:
        file = open_one(path, place)
        if new.exists():
            exchange_folders(new, folder)
            shutil.rmtree(new)
        return file

    monkeypatch.setattr(reading, "_open", open_and_exchange)
    assert read_together(folder, MOST) == {"a": b"new", "b": b"new"}


def test_a_folder_that_is_replaced_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = two_files(tmp_path / "x", "one")
    (folder / "b").unlink()
    monkeypatch.setattr(reading, "_is_still", lambda folder, place: False)
    with pytest.raises(BundleError, match="is replaced again and again"):
        read_together(folder, MOST)


def test_a_linked_bundle_is_read_and_not_overwritten(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "v3")
    (tmp_path / "current").symlink_to("v3")
    assert read_bundle(tmp_path / "current").manifest.model_name == "tiny"
    with pytest.raises(ConfigError, match="current: is a link to v3; name the bundle itself"):
        write_bundle(tmp_path / "current", read_bundle(bundle), overwrite=True)
    for name in (MODEL, MANIFEST, GOLDEN):
        assert (bundle / name).is_file()
