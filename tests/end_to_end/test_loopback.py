"""A session of real drivers: a window on a virtual display, a stage's controller, a camera that grabs behind drops."""

import numpy as np
import pytest

from capture.plan import Plan, start_session
from capture.session import record_session
from natadv.errors import ConfigError
from natadv.raindrops.drops import Drops
from rigs.camera.wet import Rain
from rigs.loopback import STAGE
from rigs.rig import load_rig
from tests.displays import FPS, loopback_names, loopback_rig
from tests.rig_files import image_folder

SECONDS = 1.0


@pytest.fixture(scope="module")
def names():
    with loopback_names() as names:
        yield names


def test_what_is_recorded_is_what_was_shown_through_the_drops_bit_for_bit(names, tmp_path):
    rig = load_rig(loopback_rig(tmp_path, names["DISPLAY"], port=names[STAGE]))
    images = image_folder(tmp_path / "images", labels=2, each=1, size=64)
    archive = start_session(tmp_path / "session", rig, Plan(images, clip_s=SECONDS))
    with rig.open() as opened:
        record_session(archive, opened)
    left, top, right, bottom = archive.settings.crop_px
    grab = rig.camera.camera
    for item in archive.settings.items:
        drawn = rig.screen.layout.drawn(archive.image(item))
        seen = drawn[grab.top_px : grab.top_px + 480, grab.left_px : grab.left_px + 480]
        fresh = Drops.empty().sprayed(np.random.default_rng((0, item.number)), rig.sprayer.parameters, 1.0)
        rain = Rain(rig.camera.optics(rig.bench), rig.geometry(), rig.bench.ambient)
        dry, wet = (list(archive.clip(item, kind).frames()) for kind in ("dry", "wet"))
        assert len(dry) == archive.settings.control_frames
        assert all((frame.image == seen[top:bottom, left:right]).all() for frame in dry)
        assert abs(len(wet) - SECONDS * FPS) <= 1
        assert len({frame.pose for frame in wet}) > len(wet) / 2  # the plate moves
        for frame in wet:
            expected, drops = rain.over(seen, fresh, frame.pose)
            assert (frame.image == expected[top:bottom, left:right]).all()
            assert frame.drops == drops
            assert drops.count == len(fresh) > 0


def test_a_picture_that_cannot_be_shown_by_whole_pixels_is_refused_before_anything_is_recorded(tmp_path):
    rig = load_rig(loopback_rig(tmp_path, ":4711"))
    images = image_folder(tmp_path / "images", labels=1, each=1, size=40)
    with pytest.raises(ConfigError, match=r"00/0\.png: .*40 × 40 px does not fill a square of 384 px"):
        start_session(tmp_path / "session", rig, Plan(images))
    assert not (tmp_path / "session").exists()
