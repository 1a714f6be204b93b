"""The drivers by the `kind` that a rig's file names: where the settings of each are.

A module of this table must import without its vendor's library, which it asks for when the device is opened.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, cast

from pydantic import ConfigDict, create_model

from rigs.settings import Settings

DRIVERS: Mapping[str, Mapping[str, str]] = {
    "camera": {
        "simulated": "rigs.camera.simulated:SimulatedCameraSettings",
        "uvc": "rigs.camera.uvc:UvcCameraSettings",
        "basler": "rigs.camera.basler:BaslerSettings",
        "genicam": "rigs.camera.genicam:GenicamCameraSettings",
        "network": "rigs.camera.network:NetworkCameraSettings",
        "file": "rigs.camera.file:FileCameraSettings",
        "wet": "rigs.camera.wet:WetCameraSettings",
        "x11": "rigs.camera.x11:X11CameraSettings",
    },
    "screen": {
        "simulated": "rigs.screen.simulated:SimulatedScreenSettings",
        "window": "rigs.screen.window:WindowSettings",
        "glfw": "rigs.screen.glfw:GlfwSettings",
    },
    "stage": {
        "simulated": "rigs.stage.simulated:SimulatedStageSettings",
        "grbl": "rigs.stage.grbl:GrblStageSettings",
        "manual": "rigs.stage.manual:ManualStageSettings",
    },
    "sprayer": {
        "simulated": "rigs.sprayer.simulated:SimulatedSprayerSettings",
        "grbl": "rigs.sprayer.grbl:GrblSprayerSettings",
        "operator": "rigs.sprayer.operator:OperatorSprayerSettings",
        "wet": "rigs.sprayer.wet:WetSprayerSettings",
    },
}
"""device -> kind -> module:class of its settings, whose `open` gives the device."""

AROUND_ANOTHER = "wet"
"""The kind whose block holds another driver's of the same device."""


def settings_of(device: str, block: Any) -> type[Settings]:
    """Return the settings class of the driver that a device's block of a rig's file names.

    Where it names none that there is, the class returned refuses the block, with the kinds there are.
    """
    kinds = DRIVERS[device]
    kind = block.get("kind") if isinstance(block, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        known = cast(Any, Literal)[tuple(kinds)]
        return cast(type[Settings], create_model("AnyDriver", __base__=_AnyDriver, kind=(known, ...)))
    module, name = kinds[kind].split(":")
    found = cast(type[Settings], getattr(import_module(module), name))
    return found.fitting(block)


class _AnyDriver(Settings):
    model_config = ConfigDict(extra="ignore")
