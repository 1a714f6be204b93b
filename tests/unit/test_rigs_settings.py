from pathlib import Path

import pytest
import yaml

import rigs
from capture.plan import _same_rig
from natadv.errors import ConfigError
from rigs.rig import RigSettings, load_rig
from rigs.settings import parse_settings

SIMULATED = Path(rigs.__file__).with_name("simulated.yaml")


def _with(old: str, new: str) -> str:
    text = SIMULATED.read_text()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("path", sorted(SIMULATED.parent.glob("*.yaml")), ids=lambda path: path.name)
def test_every_rig_file_loads(path):
    assert load_rig(path).file == str(path)


def test_a_shipped_rig_is_known_by_its_bare_name():
    assert load_rig(Path("simulated")).name == load_rig(SIMULATED).name


def test_an_unknown_key_names_line_and_nearest_key():
    text = _with("view_mm", "veiw_mm")
    line = 1 + next(n for n, entry in enumerate(text.splitlines()) if "veiw_mm" in entry)
    with pytest.raises(ConfigError, match=rf"rig.yaml, line {line}: unknown key `camera.veiw_mm`; .*`view_mm`"):
        parse_settings(text, RigSettings, where="rig.yaml")


def test_a_misspelt_block_is_named_and_not_the_one_it_was_meant_to_be():
    with pytest.raises(ConfigError, match=r"unknown key `scren`; did you mean `screen`"):
        parse_settings(_with("screen:", "scren:"), RigSettings, where="rig.yaml")


@pytest.mark.parametrize("picture_mm", ["320", "0.1"])
def test_a_picture_that_the_screen_cannot_show_is_refused(picture_mm):
    with pytest.raises(ConfigError, match=rf"a picture_mm of {picture_mm} does not fit"):
        parse_settings(_with("picture_mm: 240", f"picture_mm: {picture_mm}"), RigSettings, where="rig.yaml")


def test_an_unknown_nested_key_is_found_in_its_own_block():
    with pytest.raises(ConfigError, match=r"`camera.sensor.exposur`; did you mean `exposure`"):
        parse_settings(_with("exposure:", "exposur:"), RigSettings, where="rig.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fps: 30", "fps: fast", r"line \d+: `camera.fps`: .*'fast'"),
        ("fps: 30", "fps: .nan", r"`camera.fps`: .*finite"),
        ("fps: 30", "fps: -1", r"`camera.fps`: .*greater than 0"),
        ("name:", "title:", r"`name` is missing|unknown key `title`"),
        ("kind: simulated", "kind: webcam", r"`camera.kind`"),
        ("fps: 30", "fps: [30", r"not YAML"),
        ("drops: medium", "drops: mediun", r"`sprayer.drops`: .*medium"),
        ("glass_mm: 200", "glass_mm: 700", r"glass nearer than the screen"),
        ("vignetting: 0.25", "vignetting: 1.5", r"`camera.sensor.vignetting`: .*less than or equal to 1"),
        ("vignetting: 0.25", "gamma: 0", r"`camera.sensor.gamma`: .*greater than 0"),
        ("vignetting: 0.25", "full_well_e: -1", r"`camera.sensor.full_well_e`: .*greater than 0"),
        ("vignetting: 0.25", "read_noise_e: -1", r"`camera.sensor.read_noise_e`: .*greater than or equal to 0"),
        ("exposure: 0.9", "exposure: 0", r"`camera.sensor.exposure`: .*greater than 0"),
        ("seed: 0", "seed: -1", r"`bench.seed`: .*greater than or equal to 0"),
        ("screen_yaw_deg: 2", "screen_yaw_deg: 90", r"`bench.screen_yaw_deg`: .*less than or equal to 80"),
        ("screen_pitch_deg: -1.5", "screen_pitch_deg: -81", r"`bench.screen_pitch_deg`: .*equal to -80"),
        ("ambient: 0.02", "screen_roll_deg: 81", r"`bench.screen_roll_deg`: .*less than or equal to 80"),
        ("settle_s: 0.2", "settle_s: -3", r"`settle_s`: .*greater than or equal to 0"),
        ("fps: 30", "fps: 3\x070", r"line 9: not YAML \(character '\\x07'"),
        ("fps: 30", "fps: 2026-13-01", r"not YAML \(month"),
        ("fps: 30", "fps: 30\n  fps: 60", r"line 10: key `fps` is there already"),
        ("settle_s: 0.2", "settle_s: 0.2\nsettle_s: 0.3", r"line \d+: key `settle_s` is there already"),
    ],
)
def test_wrong_values_are_one_line(old, new, said):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_settings(_with(old, new), RigSettings, where="rig.yaml")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said():
    with pytest.raises(ConfigError, match=r"nowhere/rig.yaml: cannot be read"):
        load_rig(Path("nowhere/rig.yaml"))


def test_text_that_is_no_mapping_is_refused():
    with pytest.raises(ConfigError, match="expected `key: value` lines"):
        parse_settings("- a\n- b\n", RigSettings, where="rig.yaml")


def test_frames_of_the_last_picture_cannot_pass_for_the_next_ones():
    text = SIMULATED.read_text().replace("settle_s: 0.2", "settle_s: 0.3")
    camera = text[text.index("camera:") : text.index("screen:")]
    block = "camera: {kind: file, path: x, width_px: 64, height_px: 48, hold_s: 0.3}\n\n"
    with pytest.raises(ConfigError, match=r"settle_s 0\.3 is no longer than the camera's hold_s 0\.3"):
        parse_settings(text.replace(camera, block), RigSettings, where="rig.yaml")
    parse_settings(text.replace(camera, block.replace("hold_s: 0.3", "hold_s: 0.2")), RigSettings, where="rig.yaml")


def test_a_session_begun_when_passwords_were_kept_is_gone_on_with_and_one_of_another_camera_is_not():
    described = yaml.safe_load(SIMULATED.read_text())
    address = "rtsp://me:secret@camera/1?token=secret"
    described["camera"] = {"kind": "network", "address": address, "width_px": 640, "height_px": 480, "fps": 5}
    now = parse_settings(yaml.safe_dump(described), RigSettings.fitting(described), where="rig").model_dump(mode="json")
    assert "secret" not in str(now)

    def then(kept):
        return now | {"camera": now["camera"] | {"address": kept}}

    assert _same_rig(then(address)) == _same_rig(now)
    assert _same_rig(then("rtsp://me:secret@camera/2?token=secret")) != _same_rig(now)
