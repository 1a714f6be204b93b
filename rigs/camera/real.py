"""What the settings of all real cameras have in common, and how their settings are locked."""

import math
from typing import Final

from pydantic import PositiveFloat, PositiveInt

from natadv.errors import SettingError
from rigs.camera.base import CameraSettings

NEAR: Final = 0.01
"""Share by which a number may come back otherwise than it was asked for: devices have steps."""


class RealCameraSettings(CameraSettings):
    """A camera that is a device.

    Attributes:
        width_px: of its frames.
        height_px: of its frames.
        timeout_s: a frame that takes longer is an error.
        hold_s: frames wait so long for a program that is late; the rig's settle_s must be longer.
    """

    width_px: PositiveInt
    height_px: PositiveInt
    timeout_s: PositiveFloat = 2.0
    hold_s: PositiveFloat = 0.1

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of its frames, in pixels."""
        return self.height_px, self.width_px


def check_number(device: str, name: str, asked: float, got: float) -> None:
    """Make sure that a device took a number, as nearly as its steps allow.

    Raises:
        SettingError: if it is off by more than `NEAR`.
    """
    if not math.isclose(asked, got, rel_tol=NEAR, abs_tol=1e-9):
        raise SettingError(f"{device}: {name} {asked:g} asked, {got:g} got; set what the camera can do")


def check_same(device: str, name: str, asked: object, got: object) -> None:
    """Make sure that a device took a value as it is.

    Raises:
        SettingError: if it has another.
    """
    if asked != got:
        raise SettingError(f"{device}: {name} {asked} asked, {got} got; set what the camera can do")
