"""Recipes of RAIN: of its super-resolution alone, and of tuning it through a classifier."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from natadv.defenses.rain import Order
from natadv.models.super_resolution.create import DEFAULT_NETWORK
from natadv.seeds import LARGEST_SEED
from natadv.training.resumable import ResumableRecipe


class PictureRecipe(ResumableRecipe):
    """What both have in common: pictures, steps, machine.

    Attributes:
        data: a labelled dataset, a name or a folder, whose training pictures are shown whole.
        photographs: instead, a folder of photographs, of which crops are shown.
        root: where named datasets lie unpacked.
        size_px: side of the pictures.
        steps: training steps.
        batch_size: pictures a step.
        every: steps between measures and the state to resume from.
        seed: of everything random.
        device: where to compute; `auto` takes CUDA where it is.
        precision: Fabric's name of the arithmetic.
        threads: CPU threads of torch; None leaves it to torch.
    """

    data: str | None = None
    photographs: str | None = None
    root: str = "data"
    size_px: int = Field(64, ge=8, le=1024)
    steps: int = Field(2000, ge=1)
    batch_size: int = Field(16, ge=1)
    every: int = Field(250, ge=1)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.data is None) == (self.photographs is None):
            raise ValueError("give either --data or --photographs")
        return self


class SuperResolutionRecipe(PictureRecipe):
    """Of a super-resolution network that undoes random downsampling.

    Attributes:
        network: as `natadv.models.super_resolution.create` reads.
        learning_rate: Adam's first; it falls along a half cosine to 0. The paper's EDSR has 1e-4 for 300,000 steps;
            a small network in a thousandth of those needs more.
        teacher: a trained network's file, whose output is half of what is aimed at; None for the picture alone.
    """

    network: str = DEFAULT_NETWORK
    learning_rate: float = Field(2e-3, gt=0)
    teacher: str | None = None


class TuningRecipe(PictureRecipe):
    """Of tuning RAIN's super-resolution through a classifier that stays as it is (Sec. III-D).

    Attributes:
        super_resolution: the trained network's file.
        classifier: a checkpoint, an ONNX file, or a name of timm's.
        share: p of the shift.
        order: of RAIN's parts.
        per_channel: pick a pixel for each channel.
        aim: what the classifier is to say behind RAIN: the true `label`, as in the paper, or its own `answer` to the
            clean picture, all of it. Photographs have no label.
        brightness: weight of the difference in brightness and contrast between what the classifier sees and the clean
            picture, see `natadv.training.rain.tuning.tone_difference`; 0, as in the paper, leaves them free.
        learning_rate: Adam's first; it falls along a half cosine to 0.
    """

    super_resolution: str
    classifier: str
    share: float = Field(0.05, ge=0, lt=1)
    order: Order = "down-shift-up"
    per_channel: bool = False
    aim: Literal["answer", "label"] = "answer"
    brightness: float = Field(1.0, ge=0)
    learning_rate: float = Field(4e-3, gt=0)
    steps: int = Field(2000, ge=1)
    batch_size: int = Field(32, ge=1)

    @field_validator("order")
    @classmethod
    def _has_a_network(cls, order: Order) -> Order:
        if "up" not in order.split("-"):
            raise ValueError(f"--order {order} has no super-resolution to tune")
        return order

    @model_validator(mode="after")
    def _labels_are_there(self) -> Self:
        if self.aim == "label" and self.data is None:
            raise ValueError("--aim label needs --data; photographs have no labels")
        return self
