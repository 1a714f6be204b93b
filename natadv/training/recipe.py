"""The recipe of a training run: what a person chose, checked at the door and kept with the result."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from natadv.models.classifier import DEFAULT_MODEL
from natadv.raindrops.presets import PRESETS
from natadv.seeds import LARGEST_SEED
from natadv.training.resumable import ResumableRecipe


class Recipe(ResumableRecipe):
    """All settings of one run.

    Attributes:
        data: a dataset's name or a folder.
        root: where named datasets lie unpacked.
        model: timm's name of the backbone.
        pretrained: start from timm's pretrained weights, which it downloads.
        size_px: side of the square pictures that the model sees.
        epochs: passes over the training pictures.
        batch_size: pictures a step, over all devices.
        optimizer: `adamw`, or `sgd` with momentum 0.9, by which older papers train.
        learning_rate: at the peak of the one-cycle schedule.
        weight_decay: on weights of two or more dimensions; AdamW's, and SGD adds it to the gradient.
        label_smoothing: share of each target spread over all classes, 0..1.
        averaging: decay a step of the running mean of the weights, which is what is kept; 0 keeps the last.
        augmentation: strength of the random views, 0 for none.
        init: checkpoint to start from.
        hits: folders of hits of training sessions.
        hit_share: at least this share of an epoch's pictures are hits, by repeating them up to 20 times.
        raindrops: probability that a training picture is seen through wet glass.
        wetness: presets of `natadv.raindrops.presets` that the glass takes in turn; one named twice counts twice.
        advrd: share of each epoch's pictures that AdvRD attacks while it trains, 0..1; the paper's is 0.5.
        generators: what it attacks them with, one drawn a batch: as `natadv.training.generators` reads.
        restarts: codes tried for each of them.
        attack_steps: gradient steps on each code; 0 is the black box, which only samples.
        attack_step_size: length of such a step, in standard deviations of the prior.
        pgd: share of each epoch's pictures that projected gradient descent attacks while it trains, 0..1; 1 in Madry
            et al. Not together with `advrd`.
        epsilon: its l_inf budget, in levels of 255.
        pgd_steps: its gradient steps.
        seed: of everything random.
        device: where to compute; `auto` takes CUDA where it is.
        devices: how many of them.
        precision: Fabric's name of the arithmetic.
        threads: CPU threads of torch; None leaves it to torch.
    """

    data: str
    root: str = "data"
    model: str = DEFAULT_MODEL
    pretrained: bool = False
    size_px: int = Field(64, ge=8, le=2048)
    epochs: int = Field(12, ge=1)
    batch_size: int = Field(32, ge=2)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(6e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    averaging: float = Field(0.99, ge=0, lt=1)
    augmentation: float = Field(1.0, ge=0, le=3)
    init: str | None = None
    hits: tuple[str, ...] = ()
    hit_share: float = Field(0.2, ge=0, le=0.9)
    raindrops: float = Field(0.0, ge=0, le=1)
    wetness: tuple[str, ...] = Field(tuple(PRESETS), min_length=1)
    advrd: float = Field(0.0, ge=0, le=1)
    generators: tuple[str, ...] = Field(("optics",), min_length=1)
    restarts: int = Field(1, ge=1)
    attack_steps: int = Field(3, ge=0)
    attack_step_size: float = Field(0.25, gt=0)
    pgd: float = Field(0.0, ge=0, le=1)
    epsilon: float = Field(16.0, gt=0, lt=255)
    pgd_steps: int = Field(10, ge=1)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(1, ge=1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: int | None = Field(None, ge=1)

    @field_validator("wetness")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PRESETS:
                raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
        return names

    @model_validator(mode="after")
    def _one_adversary(self) -> Self:
        if self.advrd and self.pgd:
            raise ValueError("--advrd and --pgd: one adversary at a time; train one after the other with --init")
        return self
