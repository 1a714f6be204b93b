"""Defences by name, as commands and tables take them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from natadv.defenses.defended import Defended
from natadv.defenses.pixel_deflection import PixelDeflection
from natadv.defenses.rain import ORDERS, Rain
from natadv.defenses.resize_pad import ResizePad
from natadv.errors import ConfigError
from natadv.models.super_resolution.create import Bicubic
from natadv.training.rain.checkpoint import load_network

NONE = "none"
_OPTIONS: dict[str, Callable[[str], Any]] = {
    "share": float,
    "order": str,
    "per_channel": lambda word: {"yes": True, "no": False}[word],
}


@dataclass(frozen=True)
class OpenedDefense:
    """A defence as it was named.

    Attributes:
        defense: an `nn.Module` as `natadv.defenses.defended.Defense`; None for no defence.
        name: what reports call it.
        described: a name that changes with its weights and settings.
        tuned_for: the classifier that its network was tuned through, as that is described, or "no classifier"; None
            where there is nothing to tune.
        tuned_at: the settings that it was tuned at; None where it was not.
        unfinished: steps done and asked for, of a network from the middle of its training; None of others.
    """

    defense: nn.Module | None
    name: str
    described: str
    tuned_for: str | None = None
    tuned_at: str | None = None
    unfinished: tuple[int, int] | None = None

    def before(self, classifier: nn.Module, *, seed: int = 0) -> nn.Module:
        """Return the classifier behind the defence, in eval mode."""
        return classifier.eval() if self.defense is None else Defended(self.defense, classifier, seed=seed)


def open_defense(spec: str) -> OpenedDefense:
    """Open a defence.

    Args:
        spec: "none"; "resize-pad"; "pixel-deflection"; "rain:FILE", a network of `natadv train sr` or `train rain`, or
            "rain:bicubic"; "shift" alone. RAIN and shift take settings after an @: "rain:FILE@share=0.1,order=down-up".

    Raises:
        ConfigError: if there is no such defence or setting.
        DataError: if its file is missing or damaged.
    """
    head, _, tail = spec.partition("@")
    kind, _, name = head.partition(":")
    if kind not in ("rain", "shift") and tail:
        raise ConfigError(f"defence {spec}: {kind} has no settings")
    if head == NONE:
        return OpenedDefense(None, NONE, NONE)
    if head == "resize-pad":
        return OpenedDefense(ResizePad(), head, f"{head} 299 to [310, 331) on 331")
    if head == "pixel-deflection":
        defense = PixelDeflection()
        settings = f"{defense.deflections} at 299 px, window {defense.window_px} px, sigma {defense.sigma:g}"
        return OpenedDefense(defense, head, f"{head} {settings}")
    settings = _settings(spec, tail)
    if head == "shift":
        if set(settings) - {"share"}:
            raise ConfigError(f"defence {spec}: shift has one setting, share")
        return _rain(Rain(nn.Identity(), order="shift", **settings), spec, head)
    if kind == "rain" and name == "bicubic":
        return _rain(Rain(Bicubic(), **settings), spec, name)
    if kind == "rain" and name:
        loaded = load_network(Path(name))
        tuned_for = str(loaded.provenance.get("classifier", "no classifier"))
        tuned_at = _settings_of(loaded.rain()) if "classifier" in loaded.provenance else None
        opened = _rain(loaded.rain(**settings), spec, f"{loaded.name} sha256 {loaded.digest[:12]}", tuned_for, tuned_at)
        return replace(opened, unfinished=loaded.unfinished)
    raise ConfigError(
        f"defence {spec}: expected {NONE}, rain:FILE, rain:bicubic, shift, resize-pad or pixel-deflection"
    )


def defense_flags(defense: OpenedDefense, model: str, size: tuple[int, int]) -> list[str]:
    """Return what about a defence may mislead: tuned half-way, or for something else, or less than its name says.

    Args:
        defense: as opened.
        model: the classifier behind it, as that is described.
        size: (height, width) of the images in pixels.
    """
    flags = []
    if defense.unfinished is not None:
        done, asked = defense.unfinished
        flags.append(f"its network is of an unfinished training, {done} of {asked} steps")
    if defense.tuned_for is not None and _digest(defense.tuned_for) != _digest(model):
        flags.append(f"its network was tuned for {defense.tuned_for}, not for {model}")
    rain = defense.defense
    if isinstance(rain, Rain):
        settings = _settings_of(rain)
        if defense.tuned_at not in (None, settings):
            flags.append(f"its network was tuned at {defense.tuned_at}, not at {settings}")
        if "shift" in rain.order and rain.share and max(map(round, rain.reach(size))) == 0:
            flags.append(f"it shifts nothing: {max(rain.reach(size)):.2g} px at most, which rounds to none")
    return flags


def _digest(described: str) -> str:
    """Return what tells a file from others, whatever it is called."""
    return described.rpartition("sha256 ")[2]


def _settings_of(rain: Rain) -> str:
    picked = ", a pixel a channel" if rain.per_channel else ""
    return f"{rain.order}, share {rain.share:g}{picked}"


def _rain(
    rain: Rain, spec: str, network: str, tuned_for: str | None = None, tuned_at: str | None = None
) -> OpenedDefense:
    return OpenedDefense(rain, spec, f"rain {_settings_of(rain)}, {network}", tuned_for, tuned_at)


def _settings(spec: str, tail: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in filter(None, tail.split(",")):
        name, _, value = part.partition("=")
        if name not in _OPTIONS:
            raise ConfigError(f"defence {spec}: no setting {name!r}; there are {', '.join(_OPTIONS)}")
        try:
            found[name] = _OPTIONS[name](value)
        except (ValueError, KeyError) as error:
            raise ConfigError(f"defence {spec}: {name} cannot be {value!r}") from error
    if found.get("order", ORDERS[0]) not in ORDERS:
        raise ConfigError(f"defence {spec}: no order {found['order']!r}; there are {', '.join(ORDERS)}")
    if not 0 <= found.get("share", 0) < 1:
        raise ConfigError(f"defence {spec}: share is from 0 to below 1")
    return found
