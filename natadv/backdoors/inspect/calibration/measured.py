"""What the methods said of each suspect, beside the truth: the lines that thresholds are tuned and measured on."""

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from natadv.backdoors.inspect.calibration.suspects import Suspect
from natadv.backdoors.inspect.scores import score_model
from natadv.errors import DataError


class Described(BaseModel):
    """One suspect.

    Attributes:
        number: of it.
        trigger: its name; None for a clean one.
        share: kappa; 0 for a clean one.
        target: class that poison carries; None for a clean one.
        accuracy: on the test part, 0..1.
        success: ASR, 0..1; None for a clean one.
        highest: of each method, its largest number of all classes.
        classes: of each method, the class that has it.
        precision: of each class's foreign cluster, the share that is poisoned.
        recall: of all poison, the share that is in that cluster.
        region_p: of the salient region, with the class that it was asked of; None where that was not possible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    trigger: str | None
    share: float
    target: int | None
    accuracy: float
    success: float | None
    highest: dict[str, float]
    classes: dict[str, int]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    region_p: float | None
    region_class: int

    @property
    def poisoned(self) -> bool:
        """Whether its data were."""
        return self.trigger is not None


def describe(suspect: Suspect, *, device: torch.device) -> Described:
    """Ask all methods about a suspect.

    Raises:
        DataError: if a method finds too few pictures in every class.
    """
    model = suspect.model.to(device)
    scores = score_model(
        model, suspect.data, suspect.clean, len(suspect.plan.classes), device=device, seed=suspect.plan.number
    )
    for name, values in scores.by_method.items():
        if not np.isfinite(values).any():
            raise DataError(f"{name}: no class has enough pictures for it; calibrate on data with more of each")
    poison = set(suspect.poisoned.tolist())
    caught = [len(poison & set(part.tolist())) for part in scores.foreign]
    plan = suspect.plan.poisoning
    return Described(
        number=suspect.plan.number,
        trigger=plan.trigger.name if plan else None,
        share=plan.share if plan else 0.0,
        target=plan.target if plan else None,
        accuracy=suspect.accuracy.value,
        success=suspect.success.value if suspect.success else None,
        highest={name: float(np.nanmax(values)) for name, values in scores.by_method.items()},
        classes={name: int(np.nanargmax(values)) for name, values in scores.by_method.items()},
        precision=tuple(hits / max(1, len(part)) for hits, part in zip(caught, scores.foreign, strict=True)),
        recall=tuple(hits / max(1, len(poison)) for hits in caught),
        region_p=scores.region.p_value if scores.region else None,
        region_class=scores.region_class,
    )
