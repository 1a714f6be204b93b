import json

import numpy as np
import pytest
import torch

from natadv.errors import DataError, DeviceError
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.drops import Drops
from natadv.raindrops.glass import WetGlass
from natadv.raindrops.layout import Layout, load_layout, save_layout
from natadv.raindrops.pose import Pose
from natadv.raindrops.scene import Scene
from rigs.bench import Bench, BenchSettings
from rigs.clock import VirtualClock
from rigs.sprayer.base import Placer
from rigs.sprayer.simulated import SimulatedSprayer, SimulatedSprayerSettings

BENCH = {"glass_mm": 200.0, "aperture_mm": 2.0, "picture_mm": 240.0, "ambient": 0.18}


def test_drops_come_back_as_they_were(tmp_path):
    drops = Drops.empty((80.0, 60.0)).sprayed(np.random.default_rng(0))
    save_layout(tmp_path / "a.json", Layout(drops, **BENCH))
    again = load_layout(tmp_path / "a.json")
    assert {name: getattr(again, name) for name in BENCH} == BENCH
    assert again.drops.plate_mm == (80.0, 60.0)
    for name in ("x_mm", "y_mm", "radius_mm", "contact_deg", "ragged"):
        np.testing.assert_array_equal(getattr(again.drops, name), getattr(drops, name))
    save_layout(tmp_path / "none.json", Layout(Drops.empty(), **BENCH))
    assert len(load_layout(tmp_path / "none.json").drops) == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"plate_mm": [1, 2]}',
        '{"plate_mm": [1], "drops": []}',
        '{"plate_mm": [9, 9], "drops": [{"x_mm": 1}]}',
        '{"plate_mm": [9, 9], "drops": [], "bench": {"glass_mm": 200}}',
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "layout.json"
    path.write_text(text)
    with pytest.raises(DataError, match="not a drop layout") as caught:
        load_layout(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        load_layout(tmp_path / "nowhere.json")


def test_a_radius_below_zero_is_no_drop(tmp_path):
    drops = Drops.empty((80.0, 60.0)).sprayed(np.random.default_rng(0))
    save_layout(tmp_path / "a.json", Layout(drops, **BENCH))
    content = json.loads((tmp_path / "a.json").read_text())
    content["drops"][0]["radius_mm"] = -1
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="radii above 0"):
        load_layout(tmp_path / "a.json")


def test_a_found_layout_can_be_put_on_the_bench():
    generator = OpticsGenerator((64, 64), "close")
    code = torch.randn(generator.latent_dim, generator=torch.Generator().manual_seed(0))
    world = Bench(BenchSettings(), VirtualClock())
    sprayer = SimulatedSprayer(SimulatedSprayerSettings(kind="simulated"), world)
    assert isinstance(sprayer, Placer)
    sprayer.spray(1.0)
    sprayer.place(generator.layout(code).drops, 0.5)
    assert len(world.drops) == generator.drops
    assert world.clock.now_s() == 1.5
    dry = np.full((128, 128, 3), 0.5, np.float32)
    view = WetGlass(world.drops, generator.optics).see(Scene(dry), Pose())
    assert view.coverage() > 0.05
    world.dry(1.0)
    assert len(world.drops) == 0
    sprayer.close()
    with pytest.raises(DeviceError, match="closed"):
        sprayer.place(generator.layout(code).drops, 0.5)
