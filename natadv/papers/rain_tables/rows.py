"""The rows of RAIN's tables: which classifier stands behind which defence."""

from dataclasses import dataclass

from natadv.errors import ConfigError
from natadv.training.defenses import NONE

_USUAL = "share=0.05,order=down-shift-up"
"""The paper's RAIN, whatever a network was tuned with."""
SHARES = ("0.01", "0.05", "0.1", "0.15")


@dataclass(frozen=True)
class Models:
    """The files of a table's models; what is None has no row.

    Attributes:
        standard: the classifier that the defences stand before, and that chooses the images.
        rain: RAIN's network, tuned for it.
        madry: one trained with PGD.
        denoised: one with feature denoising, trained so too.
        rain_at: RAIN's network, tuned for `madry`.
    """

    standard: str
    rain: str | None = None
    madry: str | None = None
    denoised: str | None = None
    rain_at: str | None = None


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


def rows(table: int, models: Models) -> list[Row]:
    """Return the rows of a table that the models given allow.

    Raises:
        ConfigError: if the table is about RAIN and there is none.
    """
    standard, rain = models.standard, f"rain:{models.rain}"
    usual = f"{rain}@{_USUAL}"
    if table not in (1, 4, 3, 5) and models.rain is None:
        raise ConfigError(f"--table {table} needs --rain")
    bare = Row("CNN-only", standard)
    if table == 1:
        return [bare, *(Row(f"RdmSCS p={share}", standard, f"shift@share={share}") for share in SHARES)]
    if table == 2:
        bicubic = Row("RdmDU-Bicubic", standard, "rain:bicubic@order=down-up")
        return [bare, bicubic, Row("RdmDU-SR", standard, f"{rain}@order=down-up")]
    if table in (3, 4):
        return [bare, *_defended(models), *_trained(models)]
    if table == 5:
        return [*_defended(models), *_trained(models)[:1], *_both(models)]
    if table == 6:
        first = Row("RdmSCS-RdmDU", standard, f"{rain}@share=0.05,order=shift-down-up")
        last = Row("RdmDU-RdmSCS", standard, f"{rain}@share=0.05,order=down-up-shift")
        return [bare, first, last, Row("RAIN", standard, usual)]
    return [Row(f"p={share}", standard, f"{rain}@share={share},order=down-shift-up") for share in SHARES]


def _defended(models: Models) -> list[Row]:
    found = [Row("PixelDef", models.standard, "pixel-deflection"), Row("RandP&R", models.standard, "resize-pad")]
    return [Row("RAIN", models.standard, f"rain:{models.rain}@{_USUAL}"), *found] if models.rain else found


def _trained(models: Models) -> list[Row]:
    given = (("Madry", models.madry), ("FeatDn", models.denoised))
    return [Row(name, model) for name, model in given if model]


def _both(models: Models) -> list[Row]:
    if models.madry is None:
        return []
    found = [Row("RandP&R-AT", models.madry, "resize-pad")]
    return [Row("RAIN-AT", models.madry, f"rain:{models.rain_at}@{_USUAL}"), *found] if models.rain_at else found
