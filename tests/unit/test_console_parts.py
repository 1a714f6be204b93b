"""What the operator's page is made of: the gauge, the painting, the story, prompts, pictures of hits."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from capture.console import gauge as gauge_module
from capture.console.console import Console
from capture.console.gauge import Gauge, measured
from capture.console.painting import in_focus, jpeg
from capture.console.pictures import HitPictures, best_of
from capture.console.preview import chart
from capture.console.prompts import Prompts
from capture.console.state import ConsoleState
from capture.console.story import Story
from capture.events import Began, DeviceLost, Disk, Doing, Hits, Paused, Recorded, Reshot, Said, Skipped, Stopped
from capture.journal import Journal
from capture.plan import Plan, start_session
from natadv.errors import DeviceError
from natadv.images import Image, write_image
from rigs.archive import Archive
from rigs.frame import Frame
from rigs.rig import load_rig
from tests.console_page import ask, guarded, look_console, wait_for
from tests.rig_files import image_folder, small_rig

BEGAN = Began(images=4, done=0, skipped=0, clips=2, pid=1)


def hits(item: int, model: str = "m", count: int = 3, **more: object) -> Hits:
    return Hits(item=item, model=model, hits=count, frames=30, control_right=True, predicted="stop", **more)  # type: ignore[arg-type]


def flat(level: int) -> Image:
    return np.full((120, 160, 3), level, np.uint8)


# Light and focus


@pytest.mark.parametrize(("level", "dark", "bright"), [(0, 1.0, 0.0), (2, 1.0, 0.0), (128, 0.0, 0.0), (255, 0.0, 1.0)])
def test_black_and_lost_light_are_counted(level: int, dark: float, bright: float) -> None:
    view = measured(Frame(flat(level), 0, 0.0), None)
    assert (view.dark, view.bright) == (dark, bright)
    assert [bars.index(100) for bars in view.histogram] == [level // 4] * 3
    assert (view.width_px, view.height_px) == (160, 120)


def test_light_lost_in_one_channel_alone_is_lost() -> None:
    image = flat(100)
    image[:60, :, 0] = 255
    assert measured(Frame(image, 0, 0.0), None).bright == pytest.approx(0.5)


def test_a_picture_in_focus_is_sharper_and_the_room_around_it_does_not_count() -> None:
    corners = ((40.0, 30.0), (120.0, 30.0), (120.0, 90.0), (40.0, 90.0))
    found = []
    for blur in (0, 1, 2, 4):
        picture = chart(256) if not blur else cv2.GaussianBlur(chart(256), (0, 0), blur)
        image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)  # sharp all over
        image[28:92, 38:122] = cv2.resize(picture, (84, 64), interpolation=cv2.INTER_AREA)
        found.append(measured(Frame(image, 0, 0.0), corners).sharpness)
    assert found == sorted(found, reverse=True)
    assert found[0] > 1.5 * found[-1]


def test_edges_in_focus_are_coloured_and_soft_ones_are_not() -> None:
    sharp, soft = chart(256), cv2.GaussianBlur(chart(256), (0, 0), 4)
    assert in_focus(sharp).mean() > 10 * max(0.1, in_focus(np.asarray(soft, np.uint8)).mean())
    noise = np.clip(128 + 6 * np.random.default_rng(0).standard_normal((120, 160, 3)), 0, 255).astype(np.uint8)
    assert (in_focus(noise) > 0).mean() < 0.02


@pytest.mark.parametrize(
    ("size", "shown"), [((1080, 1920), (540, 960)), ((120, 160), (240, 320)), ((480, 640), (480, 640))]
)
@pytest.mark.parametrize("peaking", [False, True])
def test_the_preview_is_as_large_as_a_page_needs(size: tuple[int, int], shown: tuple[int, int], peaking: bool) -> None:
    image = cv2.resize(chart(256), size[::-1], interpolation=cv2.INTER_NEAREST)
    before = image.copy()
    picture = cv2.imdecode(np.frombuffer(jpeg(image, peaking=peaking), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[:2] == shown
    assert np.array_equal(image, before)  # the session's frame is not painted upon
    coloured = (picture.max(2).astype(int) - picture.min(2) > 100).mean()
    assert (coloured > 0.001) == peaking


def test_the_gauge_tells_age_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(gauge_module.time, "monotonic", lambda: now_s[0])
    newest: list[Frame | None] = [None]
    gauge = Gauge(lambda: newest[0])
    assert gauge.view(None) is None
    for step in range(5):
        newest[0] = Frame(flat(step), 30 * step, 0.0)
        view = gauge.view(None)
        now_s[0] += 1
    assert view is not None
    assert (view.index, view.age_s, view.fps) == (120, 0.0, 30.0)
    assert gauge.count == 5
    view = gauge.view(None)
    assert view is not None
    assert (view.index, view.age_s) == (120, 1.0)
    assert gauge.count == 5  # the same frame is not measured again
    now_s[0] += 9
    view = gauge.view(None)
    assert view is not None
    assert (view.age_s, view.fps) == (10.0, None)  # a rate of then would be a lie
    newest[0] = Frame(flat(9), 3, 0.0)  # of a camera that was opened anew
    view = gauge.view(None)
    assert view is not None
    assert (view.index, view.age_s, view.fps) == (3, 0.0, None)


# The story


def test_hits_that_were_recorded_again_or_given_up_do_not_count() -> None:
    story = Story()
    for event in (BEGAN, hits(0), hits(1), hits(1, "other"), hits(2), hits(3, count=0)):
        story.take(event)
    assert [(hit.item, hit.model) for _, hit in story.hits()] == [(2, "m"), (1, "other"), (1, "m"), (0, "m")]
    story.take(Reshot(item=1, attempt=0, reasons=("dark",)))
    story.take(Skipped(item=2, reasons=("dark",)))
    story.take(hits(0, count=5))
    assert [(hit.item, hit.hits) for _, hit in story.hits()] == [(0, 5)]
    story.take(hits(0, count=0))
    assert story.hits() == []


def test_a_story_is_bounded_and_numbered() -> None:
    story = Story()
    story.recall([Said(words="of an earlier process"), BEGAN])
    assert not story.begun
    story.take(BEGAN)
    assert story.begun
    for number in range(700):
        story.take(Doing(item=number, clip="wet", source="", label=""))
        story.take(hits(number))
    assert len(story.after(0)) == 500
    assert len(story.hits()) == 120
    assert [told.number for told in story.after(701)] == [702, 703]
    assert [told.number for told in story.latest(2)] == [702, 703]
    assert story.after(703) == []


# Prompts


def asking(prompts: Prompts, words: str) -> tuple[threading.Thread, list[str]]:
    """Ask in a thread; give what came of it."""
    answers: list[str] = []

    def ask_it() -> None:
        try:
            prompts.ask(words)
            answers.append("done")
        except DeviceError as error:
            answers.append(str(error))

    thread = threading.Thread(target=ask_it)
    thread.start()
    wait_for(lambda: prompts.now is not None)
    return thread, answers


@pytest.mark.parametrize(("done", "said"), [(True, "done"), (False, "wipe the plate: the operator says no")])
def test_a_prompt_is_shown_and_answered_through_http(done: bool, said: str) -> None:
    console = look_console()
    guard = guarded(console)
    assert ask(guard, "POST", "/api/prompt/1", json={"done": done}).status_code == 409  # nothing is asked
    thread, answers = asking(console.prompts, "wipe the plate")
    assert ask(guard, "GET", "/api/state").json()["prompt"] == {"number": 1, "words": "wipe the plate"}
    assert ask(guard, "POST", "/api/prompt/2", json={"done": done}).status_code == 409
    assert ask(guard, "POST", "/api/prompt/1", json={"done": done}).status_code == 200
    thread.join(20)
    assert answers == [said]
    assert ask(guard, "GET", "/api/state").json()["prompt"] is None


def test_a_prompt_that_is_cancelled_waits_no_longer_as_with_an_emergency_stop() -> None:
    console = look_console()
    prompts = console.prompts
    prompts.cancel()  # nothing waits

    class Person:
        """A stage and a sprayer that are a person, as to stopping."""

        def stop(self) -> None: ...

        def close(self) -> None:
            prompts.cancel()

    thread, answers = asking(prompts, "wipe")
    with console.control.holding(Person(), Person()):  # type: ignore[arg-type]
        assert console.stop("a test") == ()
    thread.join(20)
    assert answers == ["wipe: cancelled"]
    assert prompts.answer(1, done=True) is False


def test_what_the_operator_is_told_stands_in_the_log() -> None:
    console = look_console()
    console.prompts.tell("the plate may be moved")
    (told,) = console.story.latest(9)
    assert told.event.text == "the plate may be moved"


# How it stands


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    rig = load_rig(small_rig(tmp_path))
    return start_session(tmp_path / "session", rig, Plan(image_folder(tmp_path / "images")))


def told(archive: Archive, *events: object) -> Console:
    console, journal = look_console(), Journal(archive.folder)
    console.attach(archive, journal)
    for event in events:
        journal.tell(event)  # type: ignore[arg-type]
    return console


DOING = Doing(item=1, clip="wet", source="00/1.png", label="00", attempt=1)
LOST = DeviceLost(device="camera", reason="camera: unplugged", tries=2, wait_s=4.0)


@pytest.mark.parametrize(
    ("events", "standing", "reason"),
    [
        ((), "starting", ""),
        ((BEGAN, DOING), "running", ""),
        ((BEGAN, DOING, LOST), "lost", "camera lost (camera: unplugged); opened again in 4 s"),
        ((BEGAN, Stopped(outcome="complete", reason="all")), "ended", "complete: all"),
    ],
)
def test_the_state_says_how_a_session_stands(
    archive: Archive, events: tuple[object, ...], standing: str, reason: str
) -> None:
    state = ConsoleState(told(archive, *events)).state()
    assert (state.standing, state.reason) == (standing, reason)
    camera = state.devices[0]
    assert (camera.health == "lost") == (standing == "lost")
    assert (state.now is not None) == (standing == "running")
    assert state.session == "session"
    assert state.corners is not None


def test_the_outline_is_where_the_picture_lies_in_whole_frames(tmp_path: Path, archive: Archive) -> None:
    rig = load_rig(tmp_path / "rig.yaml")
    corners = ConsoleState(told(archive)).state().corners
    assert corners is not None
    assert np.allclose(corners, rig.geometry().corners_px)


def test_the_state_counts_and_names_everything(archive: Archive) -> None:
    recorded = Recorded(item=0, clip="wet", attempt=0, frames=150, lost=0, complete=True, stored_bytes=1)
    disk = Disk(free_bytes=10, image_bytes=5, images_left=3)
    console = told(archive, BEGAN, recorded, Skipped(item=2, reasons=("x",)), hits(0), disk, DOING, Paused(by="me"))
    console.control.pause("me")
    state = ConsoleState(console).state()
    assert (state.images, state.done, state.skipped) == (4, 1, 1)
    assert state.now is not None
    assert (state.now.item, state.now.clip, state.now.attempt) == (1, "wet", 1)
    assert (state.standing, state.reason) == ("pausing", "asked by me")
    assert state.item is None
    with console.control.recording(2):
        assert ConsoleState(console).state().item == 2
    assert not state.disk_enough
    (model,) = state.models
    assert (model.model, model.fooled, model.images, model.hits) == ("m", 1, 1, 3)
    assert "100" in model.rate
    assert [(hit.item, hit.predicted) for hit in state.hits] == [(0, "stop")]


def test_events_of_an_earlier_process_are_in_the_log_and_start_nothing(archive: Archive) -> None:
    journal = Journal(archive.folder)
    journal.tell(BEGAN)
    journal.tell(Stopped(outcome="ended", reason="asked by the page"))
    console = told(archive)
    assert [one.event.kind for one in console.story.latest(9)] == ["began", "stopped"]
    assert ConsoleState(console).state().standing == "starting"


# Pictures of hits


def test_a_hits_pictures_are_small_and_of_the_session_alone(archive: Archive) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 200, 3), np.uint8)
    (archive.folder / "live").mkdir()
    write_image(archive.folder / "live" / "a.png", picture)
    write_image(archive.folder.parent / "elsewhere.png", picture)
    console = told(archive, BEGAN, hits(0, pictures=("live/a.png", "../elsewhere.png", "live/gone.png")))
    ((number, _),) = console.story.hits()
    pictures = HitPictures(console)
    content = pictures.picture(number, 0)
    assert content is not None
    shown = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (128, 100, 3)
    assert [pictures.picture(number, place) for place in (-1, 1, 2, 3)] == [None] * 4
    assert pictures.picture(number + 1, 0) is None
    guard = guarded(console)
    assert ask(guard, "GET", f"/api/hits/{number}/0.jpg").headers["content-type"] == "image/jpeg"
    assert ask(guard, "GET", f"/api/hits/{number}/1.jpg").status_code == 404


@pytest.mark.parametrize(("best", "place"), [(7, 1), (3, 0), (9, 0), (None, 0)])
def test_the_picture_shown_first_is_the_one_that_the_model_is_surest_of(best: int | None, place: int) -> None:
    assert (
        best_of(hits(4, pictures=("live/d/no-entry/0004-0003.png", "live/d/no-entry/0004-0007.png"), best=best))
        == place
    )
    assert best_of(hits(4, best=best)) == 0
