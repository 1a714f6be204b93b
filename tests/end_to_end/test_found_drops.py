"""Drops found by the attack do on the bench what they did in the generator: the water is one, the lens another."""

import cv2
import numpy as np
import torch
import yaml

from capture.plan import Plan, start_session
from capture.session import record_session
from natadv.images import write_image
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.layout import SUFFIX, save_layout
from rigs.rig import load_rig
from tests.rig_files import SIMULATED

SIDE, IMAGES = 64, 3


def test_placed_drops_look_as_they_were_found(tmp_path):
    optics = OpticsGenerator((SIDE, SIDE), "medium", ambient=0.18)
    codes = torch.randn(IMAGES, optics.latent_dim, generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    effects = []
    for number, code in enumerate(codes):
        coarse = rng.integers(30, 226, (6, 6, 3), dtype=np.uint8)
        clean = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        path = tmp_path / f"images/sign/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, clean)
        save_layout(path.with_suffix(SUFFIX), optics.layout(code))
        batch = torch.from_numpy(clean).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            effects.append((optics(batch, code[None]) - batch)[0].permute(1, 2, 0).numpy())
    # The generator's screen faces the camera; the simulated one is a little askew.
    settings = yaml.safe_load(SIMULATED.read_text())
    settings["bench"] |= {"screen_yaw_deg": 0, "screen_pitch_deg": 0}
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(settings))
    rig = load_rig(tmp_path / "rig.yaml")
    archive = start_session(tmp_path / "session", rig, Plan(tmp_path / "images", clip_s=0.1, control_frames=3))
    with rig.open() as opened:
        record_session(archive, opened)
    seen = [_effect(archive, item) for item in archive.settings.items]
    likeness = np.array([[np.corrcoef(a.ravel(), b.ravel())[0, 1] for b in effects] for a in seen])
    assert likeness.diagonal().min() > 0.8, likeness
    others = likeness[~np.eye(IMAGES, dtype=bool)]
    assert np.abs(others).max() < 0.3, likeness


def _effect(archive, item):
    """What the drops changed in the first wet frame, seen from straight ahead, (64, 64, 3)."""
    dry, wet = (
        archive.settings.geometry.rectify(next(archive.clip(item, kind).images()), (SIDE * 2, SIDE * 2))
        for kind in ("dry", "wet")
    )
    change = wet.astype(np.float32) - dry
    return cv2.resize(change, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
