import threading

import pytest

from capture.control import Control, Ended, Halted, ResprayAsked, SkipAsked
from capture.desk import Desk
from capture.events import Doing, Recorded, Reshot, Skipped
from capture.journal import Journal, Reader
from capture.session import record_session
from natadv.errors import DeviceError
from tests.recording import Blocking, Seen, begun, digests, opened


def _kinds(archive):
    return [event.kind for event in Reader(archive.folder).events()]


@pytest.fixture
def session(tmp_path):
    archive, rig = begun(tmp_path)
    return archive, rig, Desk(Journal(archive.folder))


def _in_thread(work):
    failed = []

    def run():
        try:
            work()
        except (DeviceError, Halted, Ended) as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failed


def test_an_emergency_stop_reaches_the_devices_while_the_session_is_blocked_in_another(session):
    archive, settings, desk = session
    notes: list[str] = []
    with opened(settings, stage=lambda s: Seen(s, notes), sprayer=lambda s: Seen(s, notes)) as rig:
        camera = Blocking(rig.camera, 5, deaf=True)  # within the first clip, the plate moving
        object.__setattr__(rig, "camera", camera)
        thread, failed = _in_thread(lambda: record_session(archive, rig, desk=desk))
        assert camera.stuck.wait(60)
        assert rig.stage.is_moving()
        assert desk.control.emergency_stop("the space bar") == ()
        assert not rig.stage.is_moving()
        with pytest.raises(DeviceError, match="closed"):
            rig.sprayer.spray(1)
        assert thread.is_alive()  # its device has not let it go
        notes.clear()
        camera.free.set()
        thread.join(60)
        assert not thread.is_alive()
        assert set(notes) <= {"stop", "close"}, "something moved after an emergency stop"
        assert [type(error) for error in failed] in ([Halted], [DeviceError])
        with pytest.raises(Halted, match="the space bar"):
            record_session(archive, rig, desk=desk)
    assert desk.control.standing == "halted"


@pytest.mark.parametrize(("device", "call"), [("stage", "follow"), ("sprayer", "spray")])
def test_what_begins_to_move_in_the_moment_of_the_stop_is_stopped_again(session, device, call):
    archive, settings, desk = session
    control = desk.control

    class Late(Seen):
        def __getattr__(self, name):
            value = super().__getattr__(name)
            if name != call:
                return value

            def late(*arguments):
                control.emergency_stop("a test")  # comes while the call is on its way to the device
                return value(*arguments)

            return late

    notes: list[str] = []
    with opened(settings, **{device: lambda s: Late(s, notes)}) as rig:
        with pytest.raises((Halted, DeviceError)):
            record_session(archive, rig, desk=desk)
        assert notes[notes.index(call) + 1] in ("stop", "close")
        assert not rig.stage.is_moving()


def test_a_pause_rests_between_clips_with_frames_to_look_at_and_changes_nothing(session, tmp_path):
    archive, settings, desk = session
    (tmp_path / "other").mkdir()
    whole, _ = begun(tmp_path / "other")
    with settings.open() as rig:
        record_session(whole, rig)
    paused = threading.Event()
    desk.journal.listen(lambda event: paused.set() if event.kind == "paused" else None)

    def pause_after_the_first(event):
        if isinstance(event, Doing) and event.item == 1 and event.clip == "dry":
            desk.control.pause("a test")

    desk.journal.listen(pause_after_the_first)
    with settings.open() as rig:
        thread, failed = _in_thread(lambda: record_session(archive, rig, desk=desk))
        assert paused.wait(60)
        assert desk.control.standing == "paused"
        assert not rig.stage.is_moving()
        assert desk.journal.snapshot().paused_by == "a test"
        looked = desk.tap.newest
        while desk.tap.newest is looked:
            assert thread.is_alive()
        assert not desk.control.pause("another")
        assert desk.control.resume("somebody else")
        thread.join(60)
    assert not failed
    assert not desk.control.resume()
    assert digests(archive) == digests(whole)
    assert [kind for kind in _kinds(archive) if kind in ("paused", "resumed")] == ["paused", "resumed"]


class Hasty(Control):
    """Pauses once more in the moment that a pause ends, before anybody could write it down."""

    again = True

    def rest(self, meanwhile=lambda: None, **more):
        paused = self.paused_by is not None
        super().rest(meanwhile, **more)
        if paused and self.again:
            self.again = False
            self.pause("again")


def test_a_pause_that_ends_is_told_though_the_next_one_is_asked_for_already(tmp_path):
    archive, settings = begun(tmp_path)
    desk = Desk(Journal(archive.folder), control=Hasty())
    desk.control.pause("a test")

    def resume_at_once(event):
        if event.kind == "paused":
            desk.control.resume("somebody")

    desk.journal.listen(resume_at_once)
    with settings.open() as rig:
        record_session(archive, rig, desk=desk)
    found = [kind for kind in _kinds(archive) if kind in ("paused", "resumed")]
    assert found == ["paused", "resumed", "paused", "resumed"]


def test_a_skipped_image_is_given_up_at_once_and_stays_resumable(session):
    archive, settings, desk = session
    asked = []

    def skip(event):
        if isinstance(event, Doing) and event.item == 1 and event.clip == "wet":
            asked.append((desk.control.skip("a test", item=0), desk.control.skip("a test", item=1)))

    desk.journal.listen(skip)
    with settings.open() as rig:
        record_session(archive, rig, desk=desk)
    assert asked == [(False, True)]
    assert [(item.number, reasons) for item, reasons in archive.skipped()] == [(1, ("asked by a test",))]
    assert not archive.missing()
    assert [item.number for item in archive.complete_items()] == [0, 2, 3]
    assert [event.item for event in Reader(archive.folder).events() if isinstance(event, Skipped)] == [1]
    assert [item.number for item in archive.retry_skipped()] == [1]
    with settings.open() as rig:
        record_session(archive, rig)
    assert len(archive.complete_items()) == 4


def test_a_respray_begins_the_image_again_with_other_drops_and_costs_no_attempt(session):
    archive, settings, desk = session
    left = [4]  # more than the retries

    def respray(event):
        if isinstance(event, Doing) and event.item == 0 and event.clip == "wet" and left[0]:
            left[0] -= 1
            assert desk.control.respray("a test")

    desk.journal.listen(respray)
    with settings.open() as rig:
        record_session(archive, rig, desk=desk)
    events = list(Reader(archive.folder).events())
    assert [event.attempt for event in events if isinstance(event, Reshot)] == [0, 1, 2, 3]
    assert archive.noted()[0, "wet"].attempt == 4
    assert [event.attempt for event in events if isinstance(event, Recorded) and event.item == 1] == [0, 0]
    assert not archive.missing()


def test_an_end_that_was_asked_for_keeps_the_clip_that_is_being_recorded(session):
    archive, settings, desk = session
    desk.journal.listen(lambda event: desk.control.end("a test") if isinstance(event, Doing) else None)
    with settings.open() as rig, pytest.raises(Ended, match="a test"):
        record_session(archive, rig, desk=desk)
    assert [item.number for item in archive.complete_items()] == [0]


def test_wishes_for_nothing_are_not_taken():
    control = Control()
    assert not control.skip()
    assert not control.respray()
    with control.recording(7):
        assert control.item == 7
        assert not control.skip(item=6)
        assert control.skip(item=7)
        assert not control.respray()  # one wish at a time
        with pytest.raises(SkipAsked):
            control.check()
        assert control.respray()
        with pytest.raises(ResprayAsked):
            control.check()
        assert control.skip()
    with control.recording(8):
        control.check()  # the wish was for another image
    assert control.end()
    assert not control.end()
    assert not control.pause()


def test_a_device_that_does_not_obey_an_emergency_stop_is_named():
    free = threading.Event()

    class Deaf:
        def stop(self):
            free.wait(60)

        def close(self):
            pass

    control = Control()
    with control.holding(Deaf(), Deaf()):
        assert control.emergency_stop() == ("stage",)
    free.set()


@pytest.mark.parametrize("stands", [True, False])
def test_a_stage_that_was_told_but_is_not_known_to_stand_is_named(stands):
    class OutOfReach:
        def stop(self):
            pass

        def close(self):
            pass

        def is_at_rest(self):
            return stands

    control = Control()
    with control.holding(OutOfReach(), OutOfReach()):
        assert control.emergency_stop() == (() if stands else ("stage",))


def test_an_emergency_stop_reaches_a_rig_that_is_being_opened():
    control, told = Control(), []
    with control.stops.reaching(lambda: told.append("the stage")):
        assert control.emergency_stop() == ()
        assert told == ["the stage"]
    with control.stops.reaching(lambda: told.append("the next")):
        assert told == ["the stage", "the next"]


def test_a_rig_that_does_not_obey_while_it_is_opened_is_named():
    control, obeyed = Control(), threading.Event()
    with control.stops.reaching(obeyed.wait):
        assert control.emergency_stop() == ("rig",)
        obeyed.set()
