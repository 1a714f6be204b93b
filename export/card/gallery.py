"""The pictures of a card: what the exported model said of images that it was measured on.

Right answers are drawn by chance; wrong ones are those that the model was surest of, as no chance draw shows them.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export.answers import Answers
from export.calibration import Calibration
from export.card.reliability import reliability_diagram
from export.card.thumbnail import photograph, pixels
from export.judgement import Attacked, Judged
from natadv.data.dataset import Dataset

MOST_RIGHT: Final = 12
MOST_WRONG: Final = 12
MOST_CONFUSIONS: Final = 8
MOST_TRIPLES: Final = 6
_SMALL_PX: Final = 72
AMPLIFIED: Final = 16
"""The eight levels that an attack may change become all from grey to black or white."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with the model's answer: a data URI, its label, the answer, and how sure of it the model was, 0..1."""

    uri: str
    label: str
    answer: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the answer is."""
        return self.label == self.answer


@dataclass(frozen=True, slots=True)
class Confusion:
    """One class taken for another.

    Attributes:
        label: the true class.
        answer: what the model said instead.
        count: how often.
        images: of the true class.
        uri: the image that it was surest of.
        like_uri: an image of the class that it said; None where the model got none right.
    """

    label: str
    answer: str
    count: int
    images: int
    uri: str
    like_uri: str | None


@dataclass(frozen=True, slots=True)
class Triple:
    """An image, the same attacked with the model's answer, and their difference, `AMPLIFIED` around grey."""

    clean_uri: str
    attacked: Shown
    difference_uri: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """All pictures of a card.

    Attributes:
        right: some right answers.
        wrong: some wrong ones.
        wrong_count: how many there are.
        confusions: the most frequent ones.
        triples: of attacked images; none where the attack changed none, or there was none.
        reliability: a diagram, SVG; None where there was too little data for a temperature.
    """

    right: tuple[Shown, ...]
    wrong: tuple[Shown, ...]
    wrong_count: int
    confusions: tuple[Confusion, ...]
    triples: tuple[Triple, ...]
    reliability: str | None


def gallery(
    dataset: Dataset,
    labels: tuple[str, ...],
    judged: Judged,
    *,
    attacked: Attacked | None,
    calibration: Calibration | None,
    rng: np.random.Generator,
) -> Gallery:
    """Choose and draw the pictures of a card.

    Args:
        dataset: that the model was judged on.
        labels: the model's.
        judged: what it said of the data set and of the attacked images.
        attacked: these images.
        calibration: as measured.
        rng: draws the right answers, and the attacked images.
    """
    answers = judged.clean
    right, wrong = np.flatnonzero(answers.right), np.flatnonzero(~answers.right)
    surest = wrong[np.argsort(-answers.confidence[wrong], kind="stable")]

    def shown(number: int) -> Shown:
        return _shown(photograph(dataset.read(number)), answers, labels, number)

    return Gallery(
        right=tuple(shown(number) for number in _drawn(right, MOST_RIGHT, rng)),
        wrong=tuple(shown(int(number)) for number in surest[:MOST_WRONG]),
        wrong_count=len(wrong),
        confusions=_confusions(dataset, answers, labels, surest),
        triples=() if attacked is None or judged.attacked is None else _triples(attacked, judged.attacked, labels, rng),
        reliability=None if calibration is None else reliability_diagram(calibration),
    )


def _confusions(
    dataset: Dataset, answers: Answers, labels: tuple[str, ...], surest: NDArray[np.int64]
) -> tuple[Confusion, ...]:
    """Return the most frequent confusions; `surest` are all wrong answers, the surest first."""
    pairs = [(int(answers.places[number]), int(answers.answered[number])) for number in surest]
    found = []
    for (true, said), count in sorted(Counter(pairs).items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSIONS]:
        like = np.flatnonzero((answers.places == said) & answers.right)
        found.append(
            Confusion(
                labels[true],
                labels[said],
                count,
                int((answers.places == true).sum()),
                photograph(dataset.read(int(surest[pairs.index((true, said))])), _SMALL_PX),
                photograph(dataset.read(int(like[answers.confidence[like].argmax()])), _SMALL_PX)
                if len(like)
                else None,
            )
        )
    return tuple(found)


def _triples(
    attacked: Attacked, answers: Answers, labels: tuple[str, ...], rng: np.random.Generator
) -> tuple[Triple, ...]:
    """Return attacked images, some that fooled the model and some that did not, where the attack changed any."""
    changed = (attacked.frames != attacked.clean).any(axis=(1, 2, 3))
    withstood = _drawn(np.flatnonzero(changed & answers.right), 2, rng)
    fooled = _drawn(np.flatnonzero(changed & ~answers.right), MOST_TRIPLES - len(withstood), rng)
    return tuple(
        Triple(
            pixels(attacked.clean[number]),
            _shown(pixels(attacked.frames[number]), answers, labels, number),
            pixels(difference(attacked.clean[number], attacked.frames[number])),
        )
        for number in (*fooled, *withstood)
    )


def difference(clean: NDArray[np.uint8], attacked: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what was changed, `AMPLIFIED` around middle grey."""
    change = attacked.astype(np.int32) - clean.astype(np.int32)
    return np.clip(128 + AMPLIFIED * change, 0, 255).astype(np.uint8)


def _shown(uri: str, answers: Answers, labels: tuple[str, ...], number: int) -> Shown:
    true, said = int(answers.places[number]), int(answers.answered[number])
    return Shown(uri, labels[true], labels[said], float(answers.confidence[number]))


def _drawn(numbers: NDArray[np.int64], most: int, rng: np.random.Generator) -> list[int]:
    return sorted(int(number) for number in rng.permutation(numbers)[:most])
