"""The recipe of a quasi-GAN: the paper's to the letter, or the one that makes drops."""

from typing import Any, Literal, Self

from pydantic import Field

from natadv.seeds import LARGEST_SEED
from natadv.training.resumable import ResumableRecipe


class QuasiGanRecipe(ResumableRecipe):
    """All settings of one run.

    Attributes:
        kind: `literal` follows Liu et al. 2023; `natadv` refracts, and is paid for reproducing raindrop images.
        photographs: folder of photographs that drops are rendered on.
        pairs: folder of real pairs, whose half trains the discriminator; None for rendered ones alone.
        pairs_share: of the real photographs that train; the others are left for RFID.
        classifier: checkpoint of the transfer classifier C.
        data: a labelled dataset for C, a name or a folder.
        root: where named datasets lie unpacked.
        extractor: ONNX classifier whose features measure RFID while it trains; None to leave that out.
        size_px: side of the pictures.
        steps: of generator and discriminator alike.
        batch_size: rendered pairs a step; as many codes are drawn from the prior.
        learning_rate: Adam's.
        beta1: Adam's; 0.5 is usual for GANs, the paper does not say.
        width: channels of the generator's coarsest layer.
        eta: the classification loss that is aimed at (Eq. 9).
        kl: weight of the KL divergence, summed over the code (alpha 1).
        reconstruction: weight of the L1 loss (alpha 2): to the clean image in `literal`, to the raindrop image of the
            encoder's code in `natadv`.
        adversarial: weight of |CE - eta| (alpha 3).
        gan: weight of the generator's loss against the discriminator.
        opacity: weight of being opaque where the drops of a rendered pair changed the picture.
        warmup: share of the steps over which discriminator and classifier get their say, from nothing; a run that
            fine-tunes has had it.
        regression: weight of recovering the code from the generated image.
        coverage: weight of covering, from prior codes, as much as from encoded ones.
        real_share: of the discriminator's raindrop images that are photographs, where there are pairs.
        init: last.pt of a run to fine-tune, as towards another eta; None to begin anew.
        every: steps between samples, measures and the state to resume from.
        seed: of everything random.
        device: where to compute; `auto` takes CUDA where it is.
        precision: Fabric's name of the arithmetic.
        threads: CPU threads of torch; None leaves it to torch.
    """

    kind: Literal["literal", "natadv"] = "natadv"
    photographs: str
    pairs: str | None = None
    pairs_share: float = Field(0.5, gt=0, lt=1)
    classifier: str
    data: str
    root: str = "data"
    extractor: str | None = None
    size_px: int = Field(64, ge=64, le=512)
    steps: int = Field(4000, ge=1)
    batch_size: int = Field(16, ge=2)
    learning_rate: float = Field(6e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    width: int = Field(64, ge=16, le=512, multiple_of=16)
    eta: float = Field(2.0, gt=0)
    kl: float = Field(0.005, ge=0)
    reconstruction: float = Field(50.0, ge=0)
    adversarial: float = Field(0.1, ge=0)
    gan: float = Field(1.0, ge=0)
    opacity: float = Field(10.0, ge=0)
    warmup: float = Field(0.25, ge=0, le=1)
    regression: float = Field(0.5, ge=0)
    coverage: float = Field(10.0, ge=0)
    real_share: float = Field(0.5, ge=0, le=1)
    init: str | None = None
    every: int = Field(500, ge=1)
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: int | None = Field(None, ge=1)

    @classmethod
    def literal(cls, **settings: Any) -> Self:
        """Return the paper's own weights (Sec. 4.1): 100, 100, 0.8 and eta 2."""
        paper = {"kl": 100.0, "reconstruction": 100.0, "adversarial": 0.8}
        paper |= {"regression": 0.0, "coverage": 0.0, "opacity": 0.0, "warmup": 0.0}
        return cls(**{"kind": "literal", **paper, **settings})
