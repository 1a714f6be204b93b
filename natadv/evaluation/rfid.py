"""RFID: how near generated raindrops come to real ones, in units of how near real ones come to each other.

Liu et al. 2023, Sec. 4.2: pairs are split at random into halves r1 and r2, and drops f1 are generated on the clean
sides of r1; RFID = FID(f1, r2) / FID(r1, r2). 1 is as good as real. The halves here share no photograph, and every
generator gets the same crops, so that the drops alone differ. Both distances of a split have the same numbers of
samples, so that their bias is alike; the drop-free pictures (`drop_free`) say what a generator has to beat.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.data.crops import Crops
from natadv.data.pair_split import choose_photographs
from natadv.evaluation.fid import frechet_distance
from natadv.models.features import FeatureExtractor

Wet = Callable[[Tensor], Tensor]
"""Puts drops on clean pictures: float RGB (n, 3, h, w) in [0, 1] to the same."""

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Rfid:
    """The distances of every split.

    The splits draw on the same pictures: their spread says how much the choice of halves matters, and is no
    standard error.

    Attributes:
        generated: FID(f1, r2) of each split.
        real: FID(r1, r2) of each split.
        crops: how many, of both halves together.
        photographs: how many they show.
        extractor: name of the features' network.
    """

    generated: tuple[float, ...]
    real: tuple[float, ...]
    crops: int
    photographs: int
    extractor: str

    @property
    def ratios(self) -> tuple[float, ...]:
        """RFID of each split."""
        return tuple(fake / real for fake, real in zip(self.generated, self.real, strict=True))

    @property
    def mean(self) -> float:
        """Mean RFID of the splits."""
        return float(np.mean(self.ratios))

    @property
    def spread(self) -> float:
        """Standard deviation of RFID between splits; NaN for a single one."""
        return float(np.std(self.ratios, ddof=1)) if len(self.ratios) > 1 else float("nan")

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.spread:.3f} ({self.crops} crops of {self.photographs} photographs)"


def rfid(crops: Crops, generate: Wet, extractor: FeatureExtractor, *, splits: int = 10, seed: int = 0) -> Rfid:
    """Return the RFID of a generator.

    What it makes is rounded to 8 bits, as the real pictures are. It runs once on every clean crop, in their order, in
    batches of 64; each split takes its halves from that.

    Args:
        crops: of pairs with four photographs or more, so that halves differ.
        generate: puts drops on clean pictures, on the extractor's device.
        extractor: gives the features.
        splits: how many random halvings.
        seed: of the halvings; generators are compared on the same ones.

    Raises:
        ValueError: if there are too few photographs or splits, or `generate` returns something else than pictures.
    """
    real, fake = extract(crops.rain, extractor), extract(crops.clean, extractor, generate)
    return rfid_of_features(real, fake, crops.photographs, extractor=extractor.name, splits=splits, seed=seed)


def rfid_of_features(
    real: Tensor, fake: Tensor, photographs: Sequence[str], *, extractor: str, splits: int = 10, seed: int = 0
) -> Rfid:
    """Return the RFID from features; for many generators, those of the real pictures are extracted once.

    Args:
        real: features of the pictures through wet glass, (n, d).
        fake: features of the generated pictures, (n, d), of the same crops in the same order.
        photographs: what each crop shows, n names.
        extractor: name of the features' network.
        splits: how many random halvings.
        seed: of the halvings.

    Raises:
        ValueError: if there are fewer than four photographs or one split, or the numbers of pictures differ.
    """
    shown = len(set(photographs))
    if shown < 4 or splits < 1 or not len(real) == len(fake) == len(photographs):
        raise ValueError(
            f"expected 4 photographs, a split and as many real as fake pictures, got {shown} photographs, "
            f"{splits} splits, {len(real)} and {len(fake)} pictures and {len(photographs)} names"
        )
    rng = np.random.default_rng(seed)
    generated, reals = [], []
    for _ in range(splits):
        first = torch.tensor(choose_photographs(photographs, rng, 0.5), device=real.device)
        generated.append(frechet_distance(fake[first], real[~first]))
        reals.append(frechet_distance(real[first], real[~first]))
    return Rfid(tuple(generated), tuple(reals), len(photographs), shown, extractor)


@torch.no_grad()
def extract(images: NDArray[np.uint8], extractor: FeatureExtractor, generate: Wet | None = None) -> Tensor:
    """Return the features, (n, d), of images, uint8 RGB (n, h, w, 3), after `generate` where it is given.

    Raises:
        ValueError: if `generate` returns another shape, or values outside [0, 1].
    """
    device = next(extractor.parameters()).device
    features = []
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(images[start : start + _BATCH]).to(device).permute(0, 3, 1, 2)
        if generate is not None:
            clean = batch.float() / 255
            wet = generate(clean)
            if wet.shape != clean.shape or not (wet.min() >= 0 and wet.max() <= 1):
                raise ValueError(f"expected pictures {tuple(clean.shape)} in [0, 1], got {tuple(wet.shape)}")
            batch = (wet * 255).round().to(torch.uint8)
        features.append(extractor(batch))
    return torch.cat(features)
