import numpy as np
import pytest

from capture import plan
from capture.checks import clip_reasons, control_reasons, coverage_of, light, likeness
from capture.desk import Desk
from capture.events import Reshot, Skipped
from capture.journal import Journal, Reader
from capture.recorder import Recording
from capture.session import record_session
from capture.wetness import DryPlate
from natadv.errors import ConfigError, DeviceError
from natadv.raindrops.pose import Pose
from rigs.frame import DropState, Frame
from rigs.geometry import ScreenGeometry, whole
from rigs.motion import smooth_path
from rigs.rig import Travel, load_rig
from rigs.session import Checks
from tests.recording import Wrapped, begun, digests, opened
from tests.rig_files import small_rig

TRAVEL = Travel(40, 180)


def _events(archive, kind):
    return [event for event in Reader(archive.folder).events() if isinstance(event, kind)]


class Brighter(Wrapped):
    """A camera whose exposure jumps for some frames, as an automatic one does."""

    def __init__(self, inner, frames):
        super().__init__(inner)
        self.frames, self.count = frames, 0

    def read(self):
        frame = self.inner.read()
        self.count += 1
        if self.count not in self.frames:
            return frame
        lit = np.clip(frame.image * 1.4, 0, 255).astype(np.uint8)
        return Frame(lit, frame.index, frame.timestamp_s, frame.pose, frame.drops)


def test_an_exposure_that_drifts_is_recorded_again(tmp_path):
    archive, settings = begun(tmp_path)
    each = 3 + 10  # frames of a control and a clip, one more being read to see its end
    second = range(each + 1, each + 4)
    with opened(settings, camera=lambda camera: Brighter(camera, second)) as rig:
        record_session(archive, rig)
    (again,) = _events(archive, Reshot)
    assert again.item == 1
    assert again.reasons[0].startswith("exposure drifted by +")
    assert archive.noted()[1, "wet"].attempt == 1
    assert len(archive.complete_items()) == 4


class Stale(Wrapped):
    """A screen that keeps what it shows, at some calls."""

    def __init__(self, inner, calls):
        super().__init__(inner)
        self.calls, self.count = calls, 0

    def show(self, image):
        self.count += 1
        if self.count not in self.calls:
            self.inner.show(image)


def test_a_screen_that_shows_the_last_image_is_found_out(tmp_path):
    archive, settings = begun(tmp_path)
    with opened(settings, screen=lambda screen: Stale(screen, (2, 3))) as rig:
        record_session(archive, rig)
    found = _events(archive, Reshot)
    assert [event.item for event in found] == [1, 1]
    assert all("the screen shows another picture" in event.reasons[0] for event in found)
    item = archive.settings.items[1]
    frames = list(archive.clip(item, "dry").images())
    assert likeness(frames, archive.image(item), archive.settings.geometry) > 0.9


def test_a_picture_that_is_much_like_the_one_before_is_told_from_it():
    generator = np.random.default_rng(2)
    common = generator.integers(60, 200, (8, 8, 3)).astype(float)
    ones = [common + 25 * generator.standard_normal((8, 8, 3)) for _ in range(2)]
    first, second = (np.clip(np.kron(one, np.ones((5, 5, 1))), 0, 255).astype(np.uint8) for one in ones)
    assert likeness([first], second, whole((40, 40))) > Checks().likeness
    geometry = whole((40, 40))

    def reasons(shown, asked, before):
        frames = [Frame(image, n, n / 30) for n, image in enumerate(shown)]
        return control_reasons(Checks(), Recording(frames, 0), asked, geometry, (), before=before)

    assert reasons([second] * 3, second, first) == []
    assert reasons([first] * 3, second, first) == ["the screen shows the picture before rather than this one"]
    assert reasons([second, first, second], second, first)  # one frame of it is enough
    assert reasons([second], second, second) == []
    assert reasons([second], second, np.full_like(second, 9)) == []


def test_the_image_before_is_the_last_other_one_through_all_openings_of_the_rig(tmp_path):
    archive, _ = begun(tmp_path, labels=1, each=3)
    desk, (one, two, three) = Desk(Journal(archive.folder)), archive.settings.items
    assert [desk.turn_to(item) for item in (one, one, two, two, three, two)] == [None, None, one, one, two, three]


def test_one_frame_of_another_picture_is_enough():
    generator = np.random.default_rng(1)
    image, other = (
        np.kron(generator.integers(0, 256, (8, 8, 3), np.uint8), np.ones((5, 5, 1), np.uint8)) for _ in "ab"
    )
    assert likeness([image] * 5, image, whole((40, 40))) > 0.99
    assert likeness([image] * 4 + [other], image, whole((40, 40))) < Checks().likeness


class Clogged(Wrapped):
    """A sprayer whose nozzle is clogged."""

    def spray(self, duration_s):
        pass


def test_a_clogged_nozzle_is_no_wet_plate(tmp_path):
    archive, settings = begun(tmp_path, labels=1, each=1, checks=Checks(retries=0))

    class Blind(Wrapped):
        def read(self):
            frame = self.inner.read()
            return Frame(frame.image, frame.index, frame.timestamp_s, frame.pose)

    with opened(settings, camera=Blind, sprayer=Clogged) as rig:
        record_session(archive, rig)
    (again,) = _events(archive, Reshot)
    assert again.reasons == ("drops cover 0.0 %, not 0.2 to 100 %",)
    dry = [Frame(np.zeros((4, 4, 3), np.uint8), 0, 0.0, None, DropState(0, 0.0))]
    assert not clip_reasons(Checks(), Recording(dry, 0), None, TRAVEL, sprayed=False)


def test_an_older_session_goes_on_with_the_coverage_that_it_was_begun_with(tmp_path):
    archive, settings = begun(tmp_path, checks=Checks(coverage=(0.0, 1.0), retries=1))
    asked = plan.plan_of(tmp_path / "images", checks=Checks(retries=1))
    plan.check_plan(archive, settings, asked, {"checks"})
    for other in (Checks(retries=2), Checks(retries=1, coverage=(0.002, 1.0))):
        with pytest.raises(ConfigError, match="begun with checks"):
            plan.check_plan(archive, settings, plan.plan_of(tmp_path / "images", checks=other), {"checks"})


def test_a_screen_that_changed_while_a_clip_was_recorded_is_a_reason_to_record_again(tmp_path):
    archive, settings = begun(tmp_path, labels=1, each=2)

    class ReadBack(Wrapped):
        def __init__(self, inner):
            super().__init__(inner)
            self.answers = [None, "screen: 600 of 921600 pixels are not what was shown"]

        def changed(self):
            return self.answers.pop(0) if self.answers else None

    with opened(settings, screen=ReadBack) as rig:
        record_session(archive, rig)
    (again,) = _events(archive, Reshot)
    assert again.item == 1
    assert again.reasons[0].startswith("screen: 600 of 921600 pixels")
    assert len(archive.complete_items()) == 2


@pytest.mark.parametrize(
    "checks",
    [Checks(coverage=(0.9, 1.0), retries=1, skipped_in_a_row=9), Checks(drop_count=(0, 1), retries=1)],
)
def test_an_image_that_is_never_good_is_skipped_and_said(tmp_path, checks):
    archive, settings = begun(tmp_path, labels=1, each=2, checks=checks)
    with settings.open() as rig:
        record_session(archive, rig)
    assert [event.attempt for event in _events(archive, Reshot)] == [0, 1, 0, 1]
    assert [event.item for event in _events(archive, Skipped)] == [0, 1]
    assert not archive.missing()
    assert not archive.complete_items()
    manifest = archive.manifest()
    assert manifest.fate(0).skipped == _events(archive, Skipped)[0].reasons


def test_too_many_skipped_in_a_row_end_the_session(tmp_path):
    checks = Checks(coverage=(0.9, 1.0), retries=0, skipped_in_a_row=2)
    archive, settings = begun(tmp_path, checks=checks)
    with settings.open() as rig, pytest.raises(DeviceError, match="2 images in a row had to be skipped"):
        record_session(archive, rig)
    assert [item.number for item, _ in archive.missing()] == [2, 2, 3, 3]


def test_a_clip_with_too_few_frames_is_recorded_again(tmp_path):
    archive, settings = begun(tmp_path)

    class Lossy(Wrapped):
        count = 0

        def read(self):
            Lossy.count += 1
            if Lossy.count in (5, 6, 7):
                self.inner.read()
                self.inner.read()
            return self.inner.read()

    with opened(settings, camera=Lossy) as rig:
        record_session(archive, rig)
    (again,) = _events(archive, Reshot)
    assert "lost by its counter" in again.reasons[0]
    assert len(archive.complete_items()) == 4


def test_a_session_interrupted_among_attempts_is_the_one_that_would_have_been(tmp_path):
    checks = Checks(coverage=(0.0, 0.035), retries=8)  # some clips of the rig are wetter
    made = []
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
        made.append(begun(tmp_path / name, checks=checks))
    (whole, settings), (broken, _) = made
    with settings.open() as rig:
        record_session(whole, rig)
    assert _events(whole, Reshot)

    class Stop(Exception):
        pass

    desk = Desk(Journal(broken.folder))

    def stop(event):
        if isinstance(event, Reshot):
            raise Stop

    desk.journal.listen(stop)
    with settings.open() as rig, pytest.raises(Stop):
        record_session(broken, rig, desk=desk)
    with settings.open() as rig:
        record_session(broken, rig)
    assert digests(broken) == digests(whole)
    assert {r.item: r.attempt for r in broken.records()} == {r.item: r.attempt for r in whole.records()}


@pytest.mark.parametrize("preset", ["light", "medium"])
@pytest.mark.parametrize("seed", [3, 4])
def test_coverage_is_estimated_from_the_control(tmp_path, preset, seed):
    path = small_rig(tmp_path)
    path.write_text(path.read_text().replace("medium", preset))
    generator = np.random.default_rng(seed)
    image = np.kron(generator.integers(0, 256, (8, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    with load_rig(path).open() as rig:
        rig.reseed(seed)
        rig.screen.show(image)
        rig.clock.sleep(0.3)
        control = [rig.camera.read().image for _ in range(5)]
        dry = DryPlate(control, rig.geometry)
        assert dry.coverage(rig.camera.read().image) < 0.01
        rig.sprayer.spray(1.0)
        rig.stage.follow(smooth_path(generator, 40, 180, 5))
        truths, estimates = [], []
        for _ in range(10):
            rig.clock.sleep(0.4)
            frame = rig.camera.read()
            truths.append(frame.drops.coverage)
            estimates.append(dry.coverage(frame.image))
    # Drops gather light from around the picture too, so that they differ less from it than other places of it do.
    assert 0.5 * np.mean(truths) < np.mean(estimates) < 1.3 * np.mean(truths)


def test_a_plain_picture_tells_no_coverage():
    plain = np.full((40, 40, 3), 90, np.uint8)
    assert DryPlate([plain, plain], whole((40, 40))).coverage(plain) is None
    assert likeness([plain], plain, whole((40, 40))) is None
    assert light([plain], whole((40, 40))) is None


def test_a_rig_that_knows_no_drops_gets_their_estimate_with_the_clip(tmp_path):
    archive, settings = begun(tmp_path, labels=1, each=1)

    class Blind(Wrapped):
        def read(self):
            frame = self.inner.read()
            return Frame(frame.image, frame.index, frame.timestamp_s, frame.pose)

    with opened(settings, camera=Blind) as rig:
        record_session(archive, rig)
    item = archive.settings.items[0]
    table = archive.clip(item, "wet").table()
    assert table["drop_count"].null_count == 9
    coverages = table["drop_coverage"].to_pylist()
    assert 0.002 < np.mean(coverages) < 0.2
    record = archive.noted()[0, "wet"]
    assert record.measured
    assert record.coverage == pytest.approx(np.mean(coverages))
    (frame,) = list(archive.clip(item, "wet").frames())[:1]
    assert frame.drops == DropState(None, coverages[0])


def _frames(poses, drops=None):
    image = np.zeros((4, 4, 3), np.uint8)
    return [Frame(image, n, n / 30, pose, drops) for n, pose in enumerate(poses)]


@pytest.mark.parametrize(
    ("poses", "said"),
    [
        ([Pose(0, 0, 0), Pose(1, 0, 5)], None),
        ([None, None], None),
        ([Pose(50, 0, 0)], "out of its travel"),
        ([Pose(0, 0, 190)], "out of its travel"),
        ([Pose(0, 0, 0), Pose(30, 0, 0)], "one frame after"),
    ],
)
def test_poses_that_no_plate_can_have_had_are_found(poses, said):
    reasons = clip_reasons(Checks(), Recording(_frames(poses), 0), None, TRAVEL)
    assert bool(reasons) == (said is not None)
    assert said is None or said in reasons[0]


def test_frames_that_say_their_coverage_are_believed():
    assert coverage_of(_frames([None], DropState(4, 0.25)), None) == 0.25
    assert coverage_of(_frames([None]), None) is None


def test_the_light_is_that_around_the_picture():
    geometry = ScreenGeometry(((9.5, 9.5), (29.5, 9.5), (29.5, 29.5), (9.5, 29.5)))
    frame = np.full((40, 40, 3), 50, np.uint8)
    frame[10:30, 10:30] = 255
    assert light([frame], geometry) == 50
