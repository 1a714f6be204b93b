"""A rig whose stage and sprayer hang on a GRBL controller: a stand-in, or one that is there."""

from pathlib import Path

import yaml

import rigs
from rigs.clock import RealClock
from rigs.firmware.kinds import KINDS, Setup
from rigs.stage.grbl_greeting import greet
from rigs.stage.grbl_link import GrblLink
from rigs.stage.grbl_words import read_setting

TRAVEL_MM, TRAVEL_DEG = 25.0, 60.0
ACCELERATION = 2000.0


def small_setup(kind: str, **change: float) -> Setup:
    """Return a stand-in with little travel, so that homing is quick; keywords as `s20=0` change `$` settings."""
    turning = len(KINDS[kind].axes) - 1
    quick = {25: 18000.0, 120: ACCELERATION, 121: ACCELERATION, 120 + turning: ACCELERATION}
    travels = {130: 2 * TRAVEL_MM + 2, 131: 2 * TRAVEL_MM + 2, 130 + turning: 2 * TRAVEL_DEG + 2}
    return Setup(kind, quick | travels | {int(name[1:]): value for name, value in change.items()})


def stage_block(kind: str, port: str, **change: object) -> dict[str, object]:
    """Return the stage's block of a rig's file for such a stand-in."""
    block = {
        "kind": "grbl",
        "port": port,
        "angle_axis": KINDS[kind].axes[-1],
        "acceleration_mm_per_s2": ACCELERATION,
        "acceleration_deg_per_s2": ACCELERATION,
        "travel_mm": TRAVEL_MM,
        "travel_deg": TRAVEL_DEG,
    }
    return block | change


def found_block(port: str) -> dict[str, object]:
    """Return the stage's block for a controller that is there, as its own settings are."""
    link = GrblLink(port, 115200, RealClock(), silence_s=2.0, brake_s=0.5)
    try:
        greet(link, 5.0)
        has = dict(entry for line in link.command("$$").said if (entry := read_setting(line)))
    finally:
        link.close()
    number = 3 if 113 in has else 2
    return {
        "kind": "grbl",
        "port": port,
        "homing": "required" if int(has[22]) & 1 else "skip",
        "angle_axis": "XYZA"[number],
        "speed_mm_per_s": min(60.0, has[110] / 60, has[111] / 60),
        "acceleration_mm_per_s2": has[120],
        "speed_deg_per_s": min(120.0, has[110 + number] / 60),
        "acceleration_deg_per_s2": has[120 + number],
        "travel_mm": min(40.0, has[130] / 2 - 1, has[131] / 2 - 1),
        "travel_deg": min(180.0, has[130 + number] / 2 - 1),
    }


def write_rig(path: Path, stage: dict[str, object], **sprayer: object) -> Path:
    """Write a rig with this stage, a sprayer on its controller, and a simulated camera and screen."""
    settings = yaml.safe_load(Path(rigs.__file__).with_name("simulated.yaml").read_text())
    settings["camera"] |= {"width_px": 160, "height_px": 120}
    settings |= {"name": "GRBL", "stage": stage, "sprayer": {"kind": "grbl", **sprayer}}
    path.write_text(yaml.safe_dump(settings))
    return path
