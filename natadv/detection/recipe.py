"""The recipe of a detector's training: what a person chose, checked at the door and kept with the result."""

from typing import Literal, Self

from pydantic import Field, model_validator

from natadv.detection.light import NAME as LIGHT
from natadv.seeds import LARGEST_SEED
from natadv.training.resumable import ResumableRecipe

PAPER_RATE, LIGHT_RATE = 1e-4, 3e-3


class DetectorRecipe(ResumableRecipe):
    """All settings of one run; the defaults are those of Agarwal et al. 2022, Sec. 4, where it has them.

    Attributes:
        bank: folder of clean and adversarial images, as `natadv detect bank` makes it.
        kinds: adversarial kinds to learn; all of the bank's where none is named.
        backbone: one of `natadv.detection.networks.NAMES`.
        weights: file of pretrained weights of the backbone.
        frozen: share of its convolutions that stay as they came; None: the paper's with weights, else none.
        n_plus_one: learn each kind as a class of its own (Sec. 5.3).
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: Adam's at first; None: the paper's, but `LIGHT_RATE` for the light one, which begins at nothing.
        patience: epochs without a lower training loss after which the rate is divided by `drop`.
        drop: see `patience`.
        mirrored: probability that a training image is shown mirrored.
        held_back: share of the sources of the training part that train nothing; the clean images of them choose the
            threshold. It is more, up to half, where so few false alarms take more sources.
        false_alarms: share of clean images of other sources that may be above it.
        seed: of everything random.
        device: where to compute; `auto` takes CUDA where it is.
        precision: Fabric's name of the arithmetic.
        threads: CPU threads of torch; None leaves it to torch.
    """

    bank: str
    kinds: tuple[str, ...] = ()
    backbone: str = LIGHT
    weights: str | None = None
    frozen: float | None = Field(None, ge=0, le=1)
    n_plus_one: bool = False
    epochs: int = Field(30, ge=1)
    batch_size: int = Field(32, ge=2)
    learning_rate: float | None = Field(None, gt=0)
    patience: int = Field(3, ge=0)
    drop: float = Field(5.0, gt=1)
    mirrored: float = Field(0.5, ge=0, le=1)
    held_back: float = Field(0.2, gt=0, lt=1)
    false_alarms: float = Field(0.01, gt=0, lt=1)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError(f"--kind: one is named twice in {', '.join(self.kinds)}")
        return self

    @property
    def rate(self) -> float:
        """The learning rate at first."""
        if self.learning_rate is not None:
            return self.learning_rate
        return LIGHT_RATE if self.backbone == LIGHT else PAPER_RATE
