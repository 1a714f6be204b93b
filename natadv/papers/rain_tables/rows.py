"""The rows of RAIN's tables: which classifier stands behind which defence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from natadv.errors import ConfigError
from natadv.training.defenses import NONE
from natadv.training.rain.checkpoint import load_network

_USUAL = "share=0.05,order=down-shift-up"
"""The paper's RAIN, whatever a network was tuned with."""
_OF_ALL = "per_channel=no"
"""A pixel is picked for all channels of a patch, in every row."""
SHARES = ("0.01", "0.05", "0.1", "0.15")


@dataclass(frozen=True)
class Models:
    """The files of a table's models; what is None has no row.

    Attributes:
        standard: the classifier that the defences stand before, and that chooses the images.
        rain: RAIN's network, tuned for it.
        own: networks tuned for it at other settings, by these as a row's defence has them; a row without takes `rain`.
        madry: one trained with PGD.
        denoised: one with feature denoising, trained so too.
        rain_at: RAIN's network, tuned for `madry`.
    """

    standard: str
    rain: str | None = None
    madry: str | None = None
    denoised: str | None = None
    rain_at: str | None = None
    own: Mapping[str, str] = field(default_factory=dict)

    def at(self, settings: str) -> str:
        """Return RAIN at settings as "share=0.1,order=down-up", with the network tuned there, or else with `rain`."""
        return f"rain:{self.own.get(settings, self.rain)}@{settings},{_OF_ALL}"


def own_networks(paths: Sequence[Path]) -> dict[str, str]:
    """Return networks by the settings that they were tuned at, as `Models.own` has them.

    Raises:
        ConfigError: if one was not tuned, or at the paper's settings or such as no row has, or two were at the same.
        DataError: if one is missing or damaged.
    """
    found: dict[str, str] = {}
    for path in paths:
        loaded = load_network(path)
        if "classifier" not in loaded.provenance:
            raise ConfigError(f"--rain {path}: was not tuned; a second one is for a row of its own settings")
        rain = loaded.rain()
        if rain.per_channel:
            raise ConfigError(f"--rain {path}: tuned with a pixel a channel, which no row has")
        share = f"share={rain.share:g}," if "shift" in rain.order else ""
        settings = f"{share}order={rain.order}"
        if settings == _USUAL:
            raise ConfigError(f"--rain {path}: tuned at {settings}, the paper's settings: name it first")
        if settings in found:
            raise ConfigError(f"--rain {path}: tuned at {settings}, as {found[settings]} is; name one of them")
        found[settings] = str(path)
    return found


@dataclass(frozen=True)
class Row:
    """A classifier behind a defence.

    Attributes:
        name: in the paper.
        model: the classifier's file.
        defense: as `natadv.training.defenses` reads it.
    """

    name: str
    model: str
    defense: str = NONE


NEEDS = {
    "RAIN": "--rain",
    "Madry": "--madry",
    "FeatDn": "--denoised",
    "RAIN-AT": "--madry and --rain-at",
    "RandP&R-AT": "--madry",
}
"""Options without which tables leave rows out."""


def absent(models: Models) -> set[str]:
    """Return the rows that no table has for want of a model."""
    there = {"RAIN": models.rain, "Madry": models.madry, "FeatDn": models.denoised, "RandP&R-AT": models.madry}
    there["RAIN-AT"] = models.madry and models.rain_at
    return {name for name in NEEDS if there[name] is None}


def rows(table: int, models: Models) -> list[Row]:
    """Return the rows of a table that the models given allow.

    Raises:
        ConfigError: if the table is about RAIN and there is none.
    """
    standard, usual = models.standard, f"rain:{models.rain}@{_USUAL},{_OF_ALL}"
    if table not in (1, 4, 3, 5) and models.rain is None:
        raise ConfigError(f"--table {table} needs --rain")
    bare = Row("CNN-only", standard)
    if table == 1:
        return [bare, *(Row(f"RdmSCS p={share}", standard, f"shift@share={share}") for share in SHARES)]
    if table == 2:
        bicubic = Row("RdmDU-Bicubic", standard, "rain:bicubic@order=down-up")
        return [bare, bicubic, Row("RdmDU-SR", standard, models.at("order=down-up"))]
    if table in (3, 4):
        return [bare, *_defended(models), *_trained(models)]
    if table == 5:
        return [*_defended(models), *_trained(models)[:1], *_both(models)]
    if table == 6:
        first = Row("RdmSCS-RdmDU", standard, models.at("share=0.05,order=shift-down-up"))
        last = Row("RdmDU-RdmSCS", standard, models.at("share=0.05,order=down-up-shift"))
        return [bare, first, last, Row("RAIN", standard, usual)]
    return [Row(f"p={share}", standard, models.at(f"share={share},order=down-shift-up")) for share in SHARES]


def _defended(models: Models) -> list[Row]:
    found = [Row("PixelDef", models.standard, "pixel-deflection"), Row("RandP&R", models.standard, "resize-pad")]
    return [Row("RAIN", models.standard, f"rain:{models.rain}@{_USUAL},{_OF_ALL}"), *found] if models.rain else found


def _trained(models: Models) -> list[Row]:
    given = (("Madry", models.madry), ("FeatDn", models.denoised))
    return [Row(name, model) for name, model in given if model]


def _both(models: Models) -> list[Row]:
    if models.madry is None:
        return []
    found = [Row("RandP&R-AT", models.madry, "resize-pad")]
    return (
        [Row("RAIN-AT", models.madry, f"rain:{models.rain_at}@{_USUAL},{_OF_ALL}"), *found] if models.rain_at else found
    )
