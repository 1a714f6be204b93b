"""A disk that does not answer is waited for so long and no longer, and the session is gone on with when it does."""

import errno
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from capture import journal as journals
from capture import session as sessions
from capture import writer as writers
from capture.desk import Desk
from capture.events import Said
from capture.hanging import DiskHangsError, in_time
from capture.journal import Journal, Reader
from capture.recorder import record_frames
from capture.session import record_session
from capture.writer import Take, Writer
from natadv.errors import DataError, DeviceError
from rigs.archive import Archive
from rigs.session import Checks
from tests.recording import begun

PATIENCE_S = 1.0
LIMIT_S = 60.0


@pytest.fixture
def disk(monkeypatch):
    """A disk that hangs at the next clip, until it is set."""
    answers = threading.Event()
    write = writers.write_clip

    def hanging(*given):
        assert answers.wait(LIMIT_S)
        return write(*given)

    monkeypatch.setattr(writers, "write_clip", hanging)
    yield answers
    answers.set()


def _impatient(monkeypatch):
    begin = Writer.__init__
    monkeypatch.setattr(Writer, "__init__", lambda *given: begin(*given, patience_s=PATIENCE_S))


def _ended(work):
    """Do work in a thread; return what it raised. It may take long, but not for ever."""
    found = []

    def run():
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # which one is what is tested
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT_S / 2)
    assert not thread.is_alive(), "it is waited for for ever"
    return found


@pytest.mark.parametrize("memory_bytes", [1, 1 << 30], ids=["put", "drain"])
def test_a_disk_that_hangs_ends_the_session_and_it_is_gone_on_with(tmp_path, monkeypatch, disk, memory_bytes):
    archive, settings = begun(tmp_path, labels=1, each=1)
    _impatient(monkeypatch)

    def record():
        with settings.open() as rig:
            record_session(archive, rig, desk=Desk(Journal(archive.folder), memory_bytes=memory_bytes))

    (error,) = _ended(record)
    assert isinstance(error, DiskHangsError)
    assert str(error).startswith(f"{archive.folder}: the disk has not answered for 1 s; look at it and its cable")
    disk.set()
    for thread in threading.enumerate():
        if thread.name == "clip-writer":
            thread.join(LIMIT_S)
    archive.recover()
    assert _ended(record) == []
    assert not archive.missing()


@pytest.mark.parametrize(("failed", "raised"), [(DeviceError, DiskHangsError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_no_other_life_of_a_session_begins_while_a_writer_hangs(tmp_path, disk, failed, raised):
    archive, settings = begun(tmp_path, labels=1, each=1)

    def record():
        with settings.open() as rig, Writer(archive, 1 << 30, lambda _: None, patience_s=PATIENCE_S) as writer:
            writer.put(Take(archive.settings.items[0], "dry", record_frames(rig.camera, 3), 0))
            raise failed("of the session's own")

    (error,) = _ended(record)
    assert type(error) is raised


def test_a_slow_disk_is_waited_for_as_long_as_it_gets_on(tmp_path, monkeypatch):
    archive, settings = begun(tmp_path, labels=1, each=1)
    _impatient(monkeypatch)
    write = writers.write_clip

    def slow(folder, frames, fps):
        for _ in frames:
            time.sleep(2 * PATIENCE_S / len(frames))
        return write(folder, frames, fps)

    monkeypatch.setattr(writers, "write_clip", slow)
    with settings.open() as rig:
        record_session(archive, rig)
    assert not archive.missing()


@pytest.mark.parametrize("work", ["reject", "skip"])
def test_what_the_session_itself_notes_is_waited_for_no_longer_either(tmp_path, monkeypatch, work):
    archive, settings = begun(tmp_path, labels=1, each=1, checks=Checks(retries=0))
    answers = threading.Event()
    note = Archive._note

    def hanging(archive, record):
        if work in type(record).__name__.lower():
            assert answers.wait(LIMIT_S)
        note(archive, record)

    monkeypatch.setattr(Archive, "_note", hanging)
    monkeypatch.setattr(sessions, "in_time", lambda path, work: in_time(path, work, PATIENCE_S))
    monkeypatch.setattr("capture.take.control_reasons", lambda *_, **__: ("a test",))

    def record():
        with settings.open() as rig:
            record_session(archive, rig)

    (error,) = _ended(record)
    assert isinstance(error, DiskHangsError)
    answers.set()


def test_a_line_of_the_journal_that_hangs_is_heard_and_then_an_error(tmp_path, monkeypatch):
    answers, append, heard = threading.Event(), journals.append_line, []

    def hanging(*given):
        assert answers.wait(LIMIT_S)
        append(*given)

    monkeypatch.setattr(journals, "append_line", hanging)
    journal = Journal(tmp_path, patience_s=PATIENCE_S)
    journal.listen(heard.append)
    found = _ended(lambda: journal.tell(Said(words="one"))) + _ended(lambda: journal.tell(Said(words="two")))
    assert [type(error) for error in found] == [DiskHangsError] * 2
    assert str(found[0]).startswith(f"{tmp_path / 'journal.jsonl'}: the disk has not answered")
    assert [event.words for event in heard] == ["one", "two"]
    answers.set()
    end_s = time.monotonic() + LIMIT_S
    while len(words := [event.words for event in Reader(tmp_path).events()]) < 2 and time.monotonic() < end_s:
        time.sleep(0.01)
    assert words == ["one", "two"]


def test_what_ends_in_time_gives_what_it_gave(tmp_path):
    assert in_time(tmp_path, lambda: 7) == 7
    with pytest.raises(KeyError):
        in_time(tmp_path, lambda: {}["no"])


@pytest.mark.parametrize("work", ["reject", "recover"])
def test_a_clip_that_cannot_be_put_aside_is_one_line(tmp_path, monkeypatch, work):
    archive, settings = begun(tmp_path, labels=1, each=1)
    with settings.open() as rig:
        record_session(archive, rig)
    item = archive.settings.items[0]
    (archive.clip_folder(item, "wet") / "clip.json").write_text("torn")

    def refused(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(DataError, match=r"session/clips: cannot be written \(Input/output error\)"):
        archive.reject(item, ["a test"]) if work == "reject" else archive.recover()


def test_a_clip_that_the_disk_cannot_read_any_more_is_recorded_again(tmp_path, monkeypatch):
    archive, settings = begun(tmp_path, labels=1, each=1)
    with settings.open() as rig:
        record_session(archive, rig)
    digest = hashlib.file_digest

    def unreadable(file, kind):
        if "wet" in file.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return digest(file, kind)

    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", unreadable)
        found = archive.recover()
    assert [folder.name for folder in found.damaged] == ["0000-wet.damaged"]
    assert [kind for _, kind in archive.missing()] == ["wet"]
