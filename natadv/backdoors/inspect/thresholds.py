"""What the inspection was tuned to and measured at: `calibration.json`, which the calibration writes."""

import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from natadv.backdoors.inspect.scores import METHODS
from natadv.errors import DataError
from natadv.evaluation.rates import Rate

NAME = "calibration.json"
Count = Annotated[int, Field(ge=0)]


class Measured(BaseModel):
    """How often a rule was right about models that it was not tuned on.

    Attributes:
        detected: poisoned models called suspicious, of `poisoned`.
        named: those for which the right class was named too.
        false_alarms: clean models called suspicious, of `clean`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    detected: Count
    named: Count
    poisoned: Count
    false_alarms: Count
    clean: Count

    @property
    def detection(self) -> Rate:
        """Of poisoned models."""
        return Rate(self.detected, self.poisoned)

    @property
    def false_alarm(self) -> Rate:
        """Of clean models."""
        return Rate(self.false_alarms, self.clean)


class Listed(BaseModel):
    """How good the lists of suspected pictures were, of poisoned models whose class was named rightly.

    Attributes:
        precision: share of a list that is poison, 0..1, in the mean.
        recall: share of a model's poison that its list has, 0..1, in the mean.
        least: the precision of the worst of them; None where an older natadv did not say.
        models: how many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Annotated[float, Field(ge=0, le=1)]
    recall: Annotated[float, Field(ge=0, le=1)]
    least: Annotated[float, Field(ge=0, le=1)] | None = None
    models: Count


class Decision(BaseModel):
    """When a model is suspicious, and of what: what all methods say of a class, added up.

    One method's number is high by chance in a clean model, of one class or another; that several are high of the same
    class is rare.

    Attributes:
        means: of each method: its largest number, in the mean of clean models.
        deviations: of each method: the standard deviation of that.
        limit: what the sum of distances from the mean, in deviations, must exceed in the class that has most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    means: dict[str, float]
    deviations: dict[str, Annotated[float, Field(ge=0)]]
    limit: float

    def weighed(self, highest: Mapping[str, float], classes: Mapping[str, int | None]) -> tuple[float, int | None]:
        """Return the largest sum, and its class; None where no method has a number.

        Args:
            highest: of each method, its largest number of all classes; NaN where it has none.
            classes: of each method, the class with that number.
        """
        sums: dict[int, float] = {}
        for name, mean in self.means.items():
            label = classes[name]
            if label is not None and math.isfinite(highest[name]):
                distance = (highest[name] - mean) / max(self.deviations[name], 1e-9)
                sums[label] = sums.get(label, 0.0) + max(0.0, distance)
        most = max(sums, key=lambda label: sums[label], default=None)
        return (0.0, None) if most is None else (sums[most], most)

    def named(self, highest: Mapping[str, float], classes: Mapping[str, int | None]) -> int | None:
        """Return the class suspected; None where no sum is above the limit. Arguments as of `weighed`."""
        most, label = self.weighed(highest, classes)
        return label if most > self.limit else None


class Rule(Decision):
    """A decision, and how well it did.

    Attributes:
        thresholds: of each method: what its largest number must exceed to be evidence alone.
        tuned: on the models that all of it was chosen by.
        measured: on others.
        by_method: each method alone, by its threshold, measured on the same.
        by_trigger: the decision, measured on the poisoned models of a trigger.
        listed: how good its lists of pictures were, on the same; None where that was not measured.
    """

    thresholds: dict[str, float]
    tuned: Measured
    measured: Measured
    by_method: dict[str, Measured]
    by_trigger: dict[str, Measured]
    listed: Listed | None = None

    @model_validator(mode="after")
    def _of_known_methods(self) -> Self:
        named = set(self.thresholds)
        if not named <= set(METHODS) or any(set(of) != named for of in (self.means, self.deviations, self.by_method)):
            raise ValueError(f"expected numbers of the same methods, of {', '.join(METHODS)}")
        return self


class Thresholds(BaseModel):
    """The whole of it.

    Attributes:
        setting: what was trained on what, in words.
        model: timm's name of the network that the suspects were.
        size_px: side of the pictures that they saw.
        classes: of each suspect.
        clean_per_class: clean pictures that each was inspected with; None where an older natadv did not say.
        least_accuracy: of the suspects, on pictures new to them, 0..1; None where an older natadv did not say.
        tuning: numbers of the suspects that thresholds were chosen by.
        measuring: numbers of the others.
        with_clean: the rule where clean pictures are at hand.
        without_clean: where not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-inspection/2"] = "natadv-inspection/2"
    setting: str
    model: str
    size_px: Annotated[int, Field(ge=1)]
    classes: Annotated[int, Field(ge=2)]
    clean_per_class: Annotated[int, Field(ge=1)] | None = None
    least_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    tuning: tuple[int, ...]
    measuring: tuple[int, ...]
    with_clean: Rule
    without_clean: Rule


def read_thresholds(path: Path | None = None) -> Thresholds:
    """Read a calibration; None for the one that is shipped.

    Raises:
        DataError: if it is missing or damaged.
    """
    try:
        text = path.read_text() if path else files(__package__).joinpath(NAME).read_text(encoding="utf-8")
        return Thresholds.model_validate_json(text)
    except (OSError, ValidationError, ValueError) as error:
        raise DataError(f"{path or NAME}: no calibration of the inspection ({str(error).splitlines()[0]})") from error
