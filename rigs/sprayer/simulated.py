"""The simulated sprayer: puts drops on the bench's plate."""

from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, field_validator

from natadv.errors import DeviceError
from natadv.raindrops.drops import DropParameters
from natadv.raindrops.layout import load_layout
from natadv.raindrops.presets import PRESETS
from rigs.bench import Bench
from rigs.settings import Settings


class SimulatedSprayerSettings(Settings):
    """What a spray leaves on the plate.

    Attributes:
        drops: name of a preset of natadv/raindrops/presets.py: its drops, not its bench.
        change: fields of natadv.raindrops.drops.DropParameters that are to be other than the preset's.
        amount: drops after one second of spraying, as a share of the preset's.
        layout: file of a drop layout, as `natadv attack advrd --generator optics` writes it; the plate gets it instead
            of a spray.
        dry_s: how long it takes to dry the plate.
    """

    kind: Literal["simulated"]
    drops: str = "medium"
    change: dict[str, float] = Field(default_factory=dict)
    amount: NonNegativeFloat = 1.0
    layout: Path | None = None
    dry_s: NonNegativeFloat = 5.0

    @property
    def parameters(self) -> DropParameters:
        """The preset's drops, changed."""
        return replace(PRESETS[self.drops].drops, **self.change)

    @field_validator("drops")
    @classmethod
    def _is_a_preset(cls, name: str) -> str:
        if name not in PRESETS:
            raise ValueError(f"expected one of {', '.join(PRESETS)}")
        return name

    @field_validator("layout")
    @classmethod
    def _is_a_layout(cls, path: Path | None) -> Path | None:
        if path is not None:
            load_layout(path)  # before a session begins
        return path

    @field_validator("change")
    @classmethod
    def _are_fields(cls, change: dict[str, float]) -> dict[str, float]:
        known = [field.name for field in fields(DropParameters)]
        for name in change:
            if name not in known:
                near = get_close_matches(name, known, 1, 0.0)[0]
                raise ValueError(f"unknown key `{name}`; did you mean `{near}`?")
        DropParameters(**change)
        return change


class SimulatedSprayer:
    """A `Sprayer` in the bench's world."""

    def __init__(self, settings: SimulatedSprayerSettings, world: Bench) -> None:
        self._settings = settings
        self._world = world
        self._open = True

    def spray(self, duration_s: float) -> None:
        """Wet the plate.

        Raises:
            DeviceError: if the sprayer is closed.
            DataError: if there is a layout whose file cannot be read.
        """
        if not self._open:
            raise DeviceError("simulated sprayer: closed")
        if self._settings.layout is not None:
            self._world.place(load_layout(self._settings.layout), duration_s)
            return
        self._world.wet(self._settings.parameters, self._settings.amount * duration_s, duration_s)

    def dry(self) -> None:
        """Take all water off the plate."""
        self._world.dry(self._settings.dry_s)

    def close(self) -> None:
        """Shut the valve."""
        self._open = False
