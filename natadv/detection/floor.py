"""The floor of a kind: how well the clean images that it was made of are told from clean ones.

What fools a classifier is not what does not: dark, plain signs give way sooner. An area below that which the choice of
the images alone gives is no detection of what an attack did to them. It is found by a regression of residuals, trained
on the originals of a bank's training part and measured on those of its test part.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import SPLITS
from natadv.data.kin import kin_of
from natadv.data.load import load_dataset
from natadv.detection.banked import BankPapers
from natadv.detection.kin import Part
from natadv.detection.measure import counterpart
from natadv.detection.residuals import regression_scores, residual_features
from natadv.detection.sources import source_key
from natadv.evaluation.roc import Scores
from natadv.images import resize

Features = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """Scores of originals in a bank's test part, by a regression of those in its training part.

    Attributes:
        clean: of the originals of the clean kind, (n,).
        clean_kin: what they are pictures of, (n,).
        suspect: of the originals of the adversarial kind, (m,).
        suspect_kin: likewise, (m,).
    """

    clean: Scores
    clean_kin: tuple[str, ...]
    suspect: Scores
    suspect_kin: tuple[str, ...]


def floors(papers: BankPapers, kinds: Iterable[str], data: str, *, root: Path = Path("data")) -> dict[str, Chosen]:
    """Score the originals of some kinds of a bank; a kind that was not made of `data` has none.

    Args:
        papers: of the bank.
        kinds: adversarial ones.
        data: that the bank was made of, as `load_dataset` takes it.
        root: where named datasets lie unpacked.

    Raises:
        ConfigError: if there are no such data.
        DataError: if they or one of their images cannot be read.
    """
    features = _Originals(papers, data, root)
    found = {}
    for kind in kinds:
        pair = (counterpart(kind, papers.kinds), kind)
        if all(features.whole(part, one) for part in ("train", "test") for one in pair):
            found[kind] = _told(features, pair)
    return found


class _Originals:
    """Residuals of the originals of a bank's images, each looked at once."""

    def __init__(self, papers: BankPapers, data: str, root: Path) -> None:
        self._papers = papers
        self._readers = {}
        # A folder of test images alone has no training part to ask for.
        there = {image.source.partition("/")[0] for image in papers.images}
        for split in (name for name in SPLITS if name in there):
            dataset = load_dataset(data, split, root=root)
            self._readers |= {source_key(dataset, place): (dataset.read, place) for place in range(len(dataset))}
        self._features: dict[str, Features] = {}

    def whole(self, part: Part, kind: str) -> bool:
        """Tell whether all images of a kind in a part were made of the data."""
        return all(image.source in self._readers for image in self._papers.of(part, kind))

    def of(self, part: Part, kind: str) -> Features:
        """Return the features of the originals of a kind, (n, d)."""
        return np.stack([self._seen(image.source) for image in self._papers.of(part, kind)])

    def kin(self, part: Part, kind: str) -> tuple[str, ...]:
        """Return what they are pictures of, (n,)."""
        return tuple(kin_of(image.source) for image in self._papers.of(part, kind))

    def _seen(self, source: str) -> Features:
        if source not in self._features:
            read, place = self._readers[source]
            side = self._papers.size_px
            self._features[source] = residual_features(resize(read(place), (side, side))[None])[0]
        return self._features[source]


def _told(features: _Originals, pair: tuple[str, str]) -> Chosen:
    clean, kind = pair
    train = [features.of("train", one) for one in pair]
    test = [features.of("test", one) for one in pair]
    suspect = np.repeat((False, True), [len(part) for part in train])
    scores = regression_scores(np.concatenate(train), suspect, np.concatenate(test))
    split = len(test[0])
    return Chosen(scores[:split], features.kin("test", clean), scores[split:], features.kin("test", kind))
