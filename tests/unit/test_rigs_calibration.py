from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from natadv.errors import ConfigError
from rigs.calibration import CalibrationSettings, Measure, differs, load_calibration, write_calibration
from rigs.lens import Lens
from rigs.rig import load_rig
from rigs.session import SessionSettings
from tests.rig_files import small_rig

CORNERS = ((30.0, 20.0), (130.0, 20.5), (129.0, 110.0), (31.0, 109.0))
LENS = Lens(-0.02, 0.001, (80.0, 60.0), 100.0)


def _calibration(rig, **change):
    values = {
        "created": datetime.now(UTC),
        "natadv_version": "0",
        "rig": rig.name,
        "devices": rig.measured_devices,
        "frame_height_px": 120,
        "frame_width_px": 160,
        "corners_px": CORNERS,
        "lens": LENS.settings,
        "measures": (Measure(name="focus", value=0.3, unit="cycles a pixel", low=0.1),),
    }
    return CalibrationSettings(**values | change)


@pytest.fixture
def rig(tmp_path):
    path = small_rig(tmp_path)
    settings = yaml.safe_load(path.read_text()) | {"calibration": "here.yaml"}
    path.write_text(yaml.safe_dump(settings))
    return load_rig(path)


def test_what_was_measured_is_what_the_rig_reads(rig):
    calibration = _calibration(rig)
    write_calibration(rig.calibration_file, calibration)
    assert rig.measured() == calibration
    assert rig.geometry().corners_px == CORNERS
    assert rig.geometry().lens == LENS
    assert calibration.measure("focus").good
    with pytest.raises(KeyError):
        calibration.measure("taste")


def test_a_rig_whose_calibration_is_missing_says_how_to_make_it(rig):
    with pytest.raises(ConfigError, match=r"not calibrated yet \(.*here.yaml is not there\): natadv rig calibrate"):
        rig.geometry()


def test_a_file_that_is_cut_off_anywhere_or_edited_is_refused(rig):
    path = rig.calibration_file
    write_calibration(path, _calibration(rig))
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="torn, edited, or no calibration; make it anew: natadv rig calibrate"):
            load_calibration(path, rig.file)
    path.write_bytes(whole.replace(b"30.0", b"31.0"))
    with pytest.raises(ConfigError, match="torn, edited, or no calibration"):
        rig.measured()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"name: x\n", b"sha256: \n", b""])
def test_a_file_of_something_else_is_refused(rig, content):
    rig.calibration_file.write_bytes(content)
    with pytest.raises(ConfigError, match="make it anew: natadv rig calibrate"):
        rig.measured()


def test_a_calibration_whose_lens_cannot_be_is_refused(rig):
    folded = Lens(-3.0, 0.0, (80.0, 60.0), 50.0).settings
    write_calibration(rig.calibration_file, _calibration(rig, lens=folded))
    with pytest.raises(ConfigError, match="does not reach so far out; make it anew"):
        rig.measured()


def test_a_calibration_of_another_rig_is_refused(rig):
    devices = rig.measured_devices
    devices["camera"]["width_px"] = 320
    write_calibration(rig.calibration_file, _calibration(rig, devices=devices))
    with pytest.raises(ConfigError, match=r"measured with camera.width_px 320, .*rig.yaml has 160; make it anew"):
        rig.measured()


def test_a_calibration_made_when_passwords_were_kept_is_good_and_prints_none():
    then = {"camera": {"address": "rtsp://me:secret@camera/1"}}
    assert differs(then, {"camera": {"address": "rtsp://camera/1"}}) is None
    place = differs(then, {"camera": {"address": "rtsp://camera/2"}})
    assert place == ("camera.address", "rtsp://camera/1", "rtsp://camera/2")


def test_a_setting_that_came_later_makes_no_other_rig(rig):
    devices = rig.measured_devices
    del devices["camera"]["blur_px"]
    write_calibration(rig.calibration_file, _calibration(rig, devices=devices))
    assert rig.measured() is not None


def test_a_rig_is_opened_for_calibration_though_its_last_one_is_torn(rig):
    rig.calibration_file.write_text("torn")
    with rig.open(calibrated=False) as opened:
        assert opened.camera.read().image.shape == (120, 160, 3)
    with pytest.raises(ConfigError, match="torn"), rig.open():
        pass


@pytest.mark.parametrize(("days", "said"), [(29, ""), (31, "31 days ago, good for 30"), (-2, "in the future")])
def test_an_old_calibration_says_so(rig, days, said):
    calibration = _calibration(rig)
    found = calibration.stale(calibration.created + timedelta(days=days, hours=1))
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("value", "low", "high", "advice"),
    [
        (0.5, 0.1, 1.0, ""),
        (0.5, None, None, ""),
        (2.0, 0.1, 1.0, "focus is 2 px, good is 0.1 to 1 px; turn the ring"),
        (0.05, 0.1, None, "focus is 0.05 px, good is at least 0.1 px; turn the ring"),
        (2.0, None, 1.0, "focus is 2 px, good is at most 1 px; turn the ring"),
        (None, 0.1, 1.0, "focus: cannot be told; turn the ring"),
    ],
)
def test_a_figure_out_of_bounds_says_what_to_do(value, low, high, advice):
    assert Measure(name="focus", value=value, unit="px", low=low, high=high, mend="turn the ring").advice == advice


def test_a_session_of_before_there_were_lenses_is_still_read():
    settings = SessionSettings(
        created="2026-01-01",
        natadv_version="0",
        purpose="training",
        seed=0,
        clip_s=5,
        control_frames=5,
        spray_s=1,
        fps=30,
        images="x",
        items=(),
        crop_px=(0, 0, 160, 120),
        corners_px=CORNERS,
        lens=LENS.settings,
        rig_file="x",
        rig={},
    )
    assert SessionSettings.model_validate_json(settings.model_dump_json()).geometry.lens == LENS
    old = settings.model_dump(mode="json")
    del old["lens"]
    assert SessionSettings.model_validate(old).geometry.lens is None


def test_a_calibration_lies_beside_its_rig(rig, tmp_path):
    assert rig.calibration_file == Path(tmp_path) / "here.yaml"
