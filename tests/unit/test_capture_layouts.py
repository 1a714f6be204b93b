"""Layouts beside a session's images: their drops are placed, at home, on the bench they were found on and no other."""

import numpy as np
import pytest

from capture.plan import Plan, start_session
from capture.session import record_session
from natadv.errors import ConfigError, DataError
from natadv.raindrops.drops import Drops
from natadv.raindrops.layout import Layout, save_layout
from natadv.raindrops.presets import PRESETS
from rigs.archive import open_archive
from rigs.rig import load_rig
from rigs.sprayer.simulated import SimulatedSprayerSettings
from tests.layouts import BENCH, lay
from tests.rig_files import image_folder, small_rig


@pytest.fixture
def rig_settings(tmp_path):
    return load_rig(small_rig(tmp_path))


@pytest.fixture
def plan(tmp_path):
    return Plan(image_folder(tmp_path / "images"), seed=3, clip_s=0.5, control_frames=2)


def _record(archive, rig_settings):
    with rig_settings.open() as rig:
        record_session(archive, rig)


def test_a_layout_beside_an_image_is_put_on_the_plate_at_home(tmp_path, rig_settings, plan):
    drops = Drops.empty((80.0, 80.0)).sprayed(np.random.default_rng(0), PRESETS["close"].drops)
    layout = lay(plan.images, drops)
    archive = start_session(tmp_path / "session", rig_settings, plan)
    layout.unlink()  # the session has its own
    _record(archive, rig_settings)
    again = open_archive(tmp_path / "session")
    placed = [item.number for item in again.settings.items if item.drops_sha256]
    assert placed == [1]
    assert np.array_equal(again.layout(again.settings.items[1]).drops.x_mm, drops.x_mm)
    assert again.layout(again.settings.items[0]) is None
    for item in again.settings.items:
        table = again.clip(item, "wet").table()
        at_home = [(table[name][0].as_py()) for name in ("x_mm", "y_mm", "angle_deg")] == [0, 0, 0]
        assert at_home == (item.number in placed)
        assert (set(table["drop_count"].to_pylist()) == {len(drops)}) == (item.number in placed)


@pytest.mark.parametrize(
    ("bench", "message"),
    [
        ({"glass_mm": 110.0}, r"drops\.json: found with bench: glass_mm 110, .*rig\.yaml has 200; change the rig"),
        ({"aperture_mm": 1.4}, "found with camera: aperture_mm 1.4, .* has 2;"),
        ({"picture_mm": 200.0}, "found with screen: picture_mm 200, .* has 240;"),
        ({"ambient": 0.02}, "found with screen: ground 0.02, .* has 0.18;"),
    ],
)
def test_drops_found_on_another_bench_are_refused(tmp_path, rig_settings, plan, bench, message):
    lay(plan.images, Drops.empty(), **bench)
    with pytest.raises(ConfigError, match=message):
        start_session(tmp_path / "session", rig_settings, plan)
    assert not (tmp_path / "session").exists()


def test_a_torn_layout_or_a_sprayer_that_cannot_place_is_refused(tmp_path, rig_settings, plan, monkeypatch):
    layout = lay(plan.images, Drops.empty())
    archive = start_session(tmp_path / "session", rig_settings, plan)
    kept = tmp_path / "session" / archive.settings.items[1].layout_name
    save_layout(kept, Layout(Drops.empty((80.0, 80.0)), **BENCH))
    with pytest.raises(DataError, match="changed since the session began"):
        _record(archive, rig_settings)
    monkeypatch.setattr(SimulatedSprayerSettings, "places", False)
    with pytest.raises(ConfigError, match="this rig's sprayer cannot place drops"):
        start_session(tmp_path / "another", rig_settings, plan)
    layout.write_text("{")
    with pytest.raises(DataError, match="not a drop layout"):
        start_session(tmp_path / "another", rig_settings, plan)
    assert not (tmp_path / "another").exists()
