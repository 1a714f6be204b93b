"""What is told before a process is replaced, and when it is not replaced; the process itself stays here."""

import os
import signal
import threading

import pytest

from capture import restart
from capture.control import Control
from capture.events import Stopped
from capture.journal import Journal, Reader
from capture.notify import Notifier, NotifySettings
from capture.restart import Restart
from capture.signals import Signals
from natadv.errors import ResourceError


class Gone(BaseException):
    """The process would be gone."""


@pytest.fixture
def gone(monkeypatch):
    """Note what becomes of the process instead."""
    ends = []

    def end(what):
        ends.append(what)
        raise Gone

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(os, "execv", lambda *_: end("again"))
    monkeypatch.setenv("NATADV_RESTARTS", "0")
    return ends


class Patient(Notifier):
    """Notes what it was asked for."""

    def __init__(self):
        super().__init__(NotifySettings(), "x", lambda: None, lambda _text: None)
        self.asked = []

    def flush(self):
        self.asked.append("flush")

    def finish(self):
        self.asked.append("finish")


def _restart(folder, signals, control=None, journal=None, **more):
    notifier = Patient()
    with pytest.raises(Gone):
        Restart(journal or Journal(folder), notifier, control or Control(), signals, **more)("camera: hangs")
    return notifier, list(Reader(folder).events())


def test_people_are_told_before_the_program_starts_again(tmp_path, gone):
    with Signals() as signals:
        notifier, (event,) = _restart(tmp_path, signals)
    assert gone == ["again"]
    assert event.trouble
    assert event.words == "camera: hangs; the program starts again"
    assert notifier.asked == ["flush"]
    assert os.environ["NATADV_RESTARTS"] == "1"


@pytest.mark.parametrize("how", ["emergency", "ended", "interrupted"])
def test_a_program_that_is_to_stop_does_not_start_again(tmp_path, gone, how):
    control = Control()
    with Signals() as signals:
        if how == "emergency":
            control.emergency_stop("the page")
        elif how == "ended":
            control.end("the page")
        else:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        notifier, (event,) = _restart(tmp_path, signals, control)
    assert (event.kind, event.outcome) == ("stopped", how)
    assert gone == [130 if how == "interrupted" else 1]
    assert notifier.asked == ["finish"]


def test_an_emergency_stop_while_people_are_told_counts_too(tmp_path, gone):
    control = Control()
    with Signals() as signals:
        journal = Journal(tmp_path)
        journal.listen(lambda event: control.emergency_stop("a hand") if event.kind == "said" else None)
        _, events = _restart(tmp_path, signals, control, journal)
    assert gone == [1]
    assert isinstance(events[-1], Stopped)
    assert events[-1].outcome == "emergency"


@pytest.mark.parametrize("how", ["full", "hangs"])
def test_a_journal_that_cannot_be_written_holds_up_nothing(tmp_path, gone, monkeypatch, how):
    free = threading.Event()

    def append(*_):
        if how == "hangs":
            free.wait(60)
        raise ResourceError("the disk is full")

    monkeypatch.setattr("capture.journal.append_line", append)
    with Signals() as signals:
        notifier, _ = _restart(tmp_path, signals, patience_s=0.2)
    free.set()
    assert gone == ["again"]
    assert notifier.asked == (["flush"] if how == "full" else [])


def test_a_program_that_cannot_be_started_again_says_so_and_ends(tmp_path, gone, monkeypatch):
    def gone_from_the_disk(*_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "execv", gone_from_the_disk)
    with Signals() as signals:
        _, events = _restart(tmp_path, signals)
    assert gone == [1]
    assert events[-1].outcome == "failed"
    assert "could not be started again" in events[-1].reason


def test_signals_are_known_while_no_handler_can_run(monkeypatch):
    """A handler of Python's runs in the main thread, between two of its steps; the wake-up descriptor needs neither."""
    with Signals() as signals:
        assert not signals.asked
        before = signal.signal(signal.SIGTERM, lambda *_: None)  # as if the main thread never came to its next step
        signal.raise_signal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
        found = []
        thread = threading.Thread(target=lambda: found.append(signals.asked))
        thread.start()
        thread.join()
        assert found == [True]
        assert signals.asked
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_wish_of_nohup_is_kept():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert not signals.asked
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("command", "then"),
    [
        (["python", "-m", "x", "run"], ["-m", "x", "run", "--resume"]),
        (["python", "-c", "x", "--resume", "--retry-skipped"], ["-c", "x", "--resume"]),
    ],
)
def test_a_process_that_starts_again_goes_on(command, then):
    assert restart.again(command)[1:] == then
