"""How a person sets AdvRD up, and the attack that the settings bind."""

from functools import partial
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from natadv.attacks.advrd import advrd
from natadv.attacks.advrd_black_box import advrd_black_box
from natadv.attacks.success import MARGIN
from natadv.attacks.variants import resize_and_pad, smooth
from natadv.campaign.attacked import CodeAttack
from natadv.models.generator import Generator

_OF_GRADIENTS = frozenset({"steps", "step_size", "radius", "momentum", "diversity", "translation"})

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


def _odd(width: int) -> int:
    if width % 2 == 0:
        raise ValueError("the width of a kernel is odd")
    return width


class AdvrdSettings(BaseModel):
    """AdvRD's settings; the defaults are the paper's (Liu et al. 2023, Sec. 4.1).

    Attributes:
        box: "white" follows the classifier's gradients, "black" tries natural codes.
        restarts: N, natural codes of an image.
        steps: T, checks of a restart.
        step_size: alpha of Eq. 13.
        radius: l2 bound on codes, Eq. 11; None for none.
        momentum: decay of the summed gradients (MIM).
        diversity: share of pictures that are resized and padded where the gradient is taken (DIM).
        translation: width of the kernel that smooths the gradient at the image, px, odd (TIM); 1 does nothing.
        margin: by how much a wrong class must lead, in the unit of the model's scores; the more, the surer it fools
            again through another lens, as on a bench.
        batch_size: pictures at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    box: Literal["white", "black"] = "white"
    restarts: Annotated[int, Field(ge=1)] = 25
    steps: Annotated[int, Field(ge=1)] = 10
    step_size: Positive = 0.05
    radius: Positive | None = None
    momentum: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    diversity: Share = 0.0
    translation: Annotated[int, Field(ge=1), AfterValidator(_odd)] = 1
    margin: Annotated[float, Field(ge=MARGIN, allow_inf_nan=False)] = MARGIN
    batch_size: Annotated[int, Field(ge=1)] = 64

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.box == "black" and (unused := sorted(self.model_fields_set & _OF_GRADIENTS)):
            raise ValueError(f"{', '.join(unused)}: a black box gives no gradient to use them on")
        return self

    def papers(self) -> dict[str, Any]:
        """Return what an image's papers should tell of them: what had no part in the attack is left out."""
        return self.model_dump(exclude={"batch_size"} | (_OF_GRADIENTS if self.box == "black" else set()))

    def bind(self, generator: Generator, *, seed: int) -> CodeAttack:
        """Return the attack through a generator; `seed` is that of diversity's chance."""
        if self.box == "black":
            return partial(advrd_black_box, generator=generator, batch_size=self.batch_size, margin=self.margin)
        rng = torch.Generator().manual_seed(seed)
        return partial(
            advrd,
            generator=generator,
            steps=self.steps,
            step_size=self.step_size,
            radius=self.radius,
            momentum=self.momentum,
            diversity=partial(resize_and_pad, probability=self.diversity, rng=rng) if self.diversity else None,
            translation=partial(smooth, width_px=self.translation) if self.translation > 1 else None,
            batch_size=self.batch_size,
            margin=self.margin,
        )
