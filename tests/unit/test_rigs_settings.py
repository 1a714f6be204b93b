from pathlib import Path

import pytest

import rigs
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
