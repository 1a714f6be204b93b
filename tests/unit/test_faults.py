import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from capture.session import record_session
from natadv.errors import ConfigError, ConnectError, DeviceError, FrameTimeoutError
from natadv.raindrops.drops import Drops
from natadv.raindrops.pose import Pose
from rigs.camera.base import Camera
from rigs.clock import VirtualClock
from rigs.faults import FaultSettings
from rigs.rig import load_rig
from rigs.screen.base import ReadsBack, Screen
from rigs.session import Checks
from rigs.sprayer.base import Placer, Sprayer
from rigs.stage.base import Certain, Stage
from tests.recording import Wrapped, begun
from tests.rig_files import small_rig


def _rig(tmp_path, **faults):
    return begun(tmp_path, **faults)[1]


ACTS = {
    "camera": lambda rig: rig.camera.read(),
    "screen": lambda rig: rig.screen.show(np.zeros((8, 8, 3), np.uint8)),
    "stage": lambda rig: rig.stage.follow([Pose(5, 0, 0)]),
    "sprayer": lambda rig: rig.sprayer.spray(0.1),
}


@pytest.mark.parametrize("device", ACTS)
def test_a_stall_lasts_until_the_device_is_closed_and_fails(tmp_path, device):
    settings = _rig(tmp_path, stall_s=60, **{device: {"stall": 1.0}})
    with settings.open() as rig:
        thread = threading.Timer(0.1, getattr(rig, device).close)
        thread.start()
        with pytest.raises(FrameTimeoutError if device == "camera" else DeviceError, match="on purpose"):
            ACTS[device](rig)
        thread.join()
    assert settings.faults.campaign.happened == Counter({(device, "stall"): 1})


@pytest.mark.parametrize("device", ACTS)
def test_a_device_that_is_gone_stays_so_and_the_rig_opens_again_after_some_tries(tmp_path, device):
    settings = _rig(tmp_path, opens_failing=2, **{device: {"disconnect": 1.0}})
    with settings.open() as rig:
        for _ in range(3):
            with pytest.raises(DeviceError, match=f"{device}: gone"):
                ACTS[device](rig)
        assert settings.faults.campaign.total == 1
    for _ in range(2):
        with pytest.raises(ConnectError), settings.open():
            pass
    with settings.open():
        pass


@pytest.mark.parametrize("device", ["stage", "sprayer"])
def test_an_alarm_lasts_until_it_is_opened_again(tmp_path, device):
    settings = _rig(tmp_path, **{device: {"alarm": 1.0}})
    with settings.open() as rig:
        for _ in range(2):
            with pytest.raises(DeviceError, match="ALARM:1"):
                ACTS[device](rig)
        rig.stage.stop()
    with settings.open():
        pass


@pytest.mark.parametrize("device", ACTS)
def test_a_late_reply_does_what_it_should_by_the_rigs_clock(tmp_path, device):
    settings = _rig(tmp_path, late_s=3.0, **{device: {"late": 1.0}})
    with settings.open() as rig:
        begun_s = rig.clock.now_s()
        ACTS[device](rig)
        assert rig.clock.now_s() >= begun_s + 3


def test_frames_are_torn_or_stamped_twice(tmp_path):
    (tmp_path / "torn").mkdir()
    with _rig(tmp_path / "torn", camera={"torn": 1.0}).open() as rig:
        assert rig.camera.read().image.shape == (48, 96, 3)
    (tmp_path / "wrong").mkdir()
    with _rig(tmp_path / "wrong", camera={"wrong": 1.0}).open() as rig:
        assert rig.camera.read().timestamp_s == rig.camera.read().timestamp_s


def test_a_screen_and_a_stage_report_what_is_not_so(tmp_path):
    with _rig(tmp_path, screen={"wrong": 1.0}, stage={"wrong": 1.0}).open() as rig:
        dark = rig.camera.read().image.mean()
        rig.screen.show(np.full((8, 8, 3), 255, np.uint8))
        rig.stage.follow([Pose(0, 0, 0)])
        rig.clock.sleep(1)
        assert rig.camera.read().image.mean() == pytest.approx(dark, abs=2)
        assert abs(rig.stage.pose().x_mm) >= 5


@pytest.mark.parametrize("look", [lambda stage: stage.is_moving(), lambda stage: stage.pose_at(0.0)])
@pytest.mark.parametrize("fault", ["stall", "disconnect", "alarm"])
def test_a_stage_fails_while_it_moves_too(tmp_path, look, fault):
    settings = _rig(tmp_path, stall_s=0, seed=5, stage={fault: 0.6})
    with settings.open() as rig:
        rig.stage.follow([Pose(5, 0, 0)])  # without a fault, by this seed
        looks = 0
        with pytest.raises(DeviceError, match="on purpose"):
            while True:
                look(rig.stage)
                looks += 1
        assert looks > 5  # each has a fiftieth of the chance
    assert settings.faults.campaign.total == 1


def test_a_stage_may_begin_to_lie_on_its_way(tmp_path):
    with _rig(tmp_path, seed=5, stage={"wrong": 0.6}).open() as rig:
        rig.stage.follow([Pose(0, 0, 0)])
        rig.stage._lies = False
        for _ in range(1000):
            rig.stage.is_moving()
        assert abs(rig.stage.pose().x_mm) >= 5


def test_looks_at_a_stage_without_faults_draw_nothing(tmp_path):
    settings = _rig(tmp_path, camera={"late": 0.1})
    with settings.open() as rig:
        before = settings.faults.campaign.chance.bit_generator.state
        rig.stage.is_moving()
        assert settings.faults.campaign.chance.bit_generator.state == before


def test_it_is_drawn_from_a_seed():
    def draws(seed):
        stage = FaultSettings(seed=seed, stage={"wrong": 0.1, "late": 0.2}).wrap_stage(None, None)
        return [stage._faults._draw() for _ in range(300)]

    assert draws(7) == draws(7) != draws(8)
    assert 10 < draws(7).count("wrong") < 50 < 35 + draws(7).count("late") < 130


def test_without_a_fault_drawn_every_device_is_as_it_was(tmp_path):
    with _rig(tmp_path, seed=1).open() as rig:
        assert isinstance(rig.sprayer, Placer)
        rig.sprayer.place(Drops.empty((80.0, 80.0)), 0.1)
        rig.sprayer.dry()
        rig.screen.show(np.zeros((8, 8, 3), np.uint8))
        rig.stage.follow([Pose(3, 0, 0)])
        while rig.stage.is_moving():
            rig.clock.sleep(0.02)
        assert rig.stage.pose_at(rig.clock.now_s()).x_mm == pytest.approx(3)
        assert rig.camera.read().pose.x_mm == pytest.approx(3)
        assert rig.camera.info.fps == 30


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("faults: {camera: {alarm: 0.1}}", "alarm"),
        ("faults: {camera: {torn: 1.5}}", "torn"),
        ("faults: {stage: {late: 0.7, alarm: 0.7}}", "more than 1"),
    ],
)
def test_faults_that_there_are_not_are_refused(tmp_path, block, said):
    path = small_rig(tmp_path)
    path.write_text(f"{path.read_text()}\n{block}\n")
    with pytest.raises(ConfigError, match=said):
        load_rig(path)


PROTOCOLS = {
    "camera": ((Camera,),),
    "screen": ((Screen,), (Screen, ReadsBack)),
    "stage": ((Stage,), (Stage, Certain)),
    "sprayer": ((Sprayer,), (Sprayer, Placer)),
}
GIVEN = {
    "show": (np.zeros((8, 8, 3), np.uint8),),
    "follow": ([Pose()],),
    "pose_at": (0.0,),
    "spray": (0.1,),
    "place": (Drops.empty((60.0, 60.0)), 0.1),
}


def _members(protocol):
    return {name for one in protocol.__mro__ for name in vars(one) if not name.startswith("_")}


@pytest.mark.parametrize(("device", "protocols"), [(device, one) for device, sets in PROTOCOLS.items() for one in sets])
def test_whatever_a_driver_can_do_it_can_do_behind_its_faults(device, protocols):
    asked, names = [], sorted(set().union(*map(_members, protocols)))
    inner = type("Inner", (), {name: _noting(name, asked) for name in names})()
    wrapped = getattr(FaultSettings(), f"wrap_{device}")(inner, None)
    for name in names:
        member = getattr(wrapped, name)
        if name != "info":
            member(*GIVEN.get(name, ()))
    assert asked == names
    optional = {ReadsBack, Certain, Placer} - set(protocols)
    assert not any(isinstance(wrapped, one) for one in optional)


def _noting(name, asked):
    def call(*_):
        asked.append(name)

    return property(call) if name == "info" else call


def test_a_screen_that_changes_behind_its_faults_is_seen(tmp_path):
    class Popped(Wrapped):
        def changed(self):
            return "screen: a window popped up"

    archive, settings = begun(tmp_path, labels=1, each=1, checks=Checks(retries=0), screen={"late": 0.0})
    with settings.open() as rig:
        screen = settings.faults.wrap_screen(Popped(rig.screen), rig.clock)
        record_session(archive, replace(rig, screen=screen))
    ((_, reasons),) = archive.skipped()
    assert reasons == ("screen: a window popped up (since the picture was shown)",)


def test_each_wrong_word_of_a_screen_that_is_counted_is_said():
    class Still:
        def show(self, image):
            pass

        def changed(self):
            return None

        def close(self):
            pass

    faults = FaultSettings(screen={"wrong": 1.0})
    screen = faults.wrap_screen(Still(), VirtualClock())
    said = [words for _ in range(500) if (words := screen.changed()) is not None]
    assert len(said) == faults.campaign.happened["screen", "wrong"] > 0
    assert set(said) == {"screen: shows other pixels (a fault made on purpose)"}
