"""What the tables of the study share: what its detectors make of one test part, in the same replicates of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from natadv.detection.floor import floors
from natadv.detection.measure import counterpart
from natadv.evaluation.resampled import KinBootstrap, Resampled
from natadv.papers.detection_tables.bench import Backbone, Bench, Taught
from natadv.papers.number import Number, setting

FLOOR = "floor (clean originals)"


@dataclass(frozen=True)
class Measures:
    """What a detector makes of the kinds of a bank, each against its clean counterpart.

    Attributes:
        areas: under the ROC curve, 0..1, by kind.
        accuracies: right where it calls what is adversarial with a probability above a half, both halves of the images
            weighing alike, 0..1, by kind.
    """

    areas: Mapping[str, Resampled]
    accuracies: Mapping[str, Resampled]


@dataclass(frozen=True)
class Study:
    """Everything a table is made of.

    Attributes:
        bench: bank, training, attack and cache.
        backbones: of the detectors.
        data: that the bank was made of; its clean originals are the floor.
        root: where named datasets lie unpacked.
        replicates: of the bootstrap.
    """

    bench: Bench
    backbones: tuple[Backbone, ...]
    data: str
    root: Path = Path("data")
    replicates: int = 1000
    _measured: dict[tuple[Backbone, Taught], Measures] = field(default_factory=dict, compare=False, repr=False)

    def measured(self, backbone: Backbone, taught: Taught) -> Measures:
        """Return what a detector makes of the test part; it is trained where it is missing."""
        if (backbone, taught) not in self._measured:
            self._measured[backbone, taught] = self._measure(backbone, taught)
        return self._measured[backbone, taught]

    def seen(self, backbone: Backbone, kind: str) -> Resampled:
        """Return the area of a kind by the detector that learnt it alone."""
        return self.measured(backbone, alone(kind)).areas[kind]

    @cached_property
    def floors(self) -> dict[str, Resampled]:
        """Areas of the clean originals of each kind that was made of the data."""
        found = floors(self.bench.papers, self.bench.kinds, self.data, root=self.root)
        return {
            kind: self._draws.area(one.clean, one.clean_kin, one.suspect, one.suspect_kin)
            for kind, one in found.items()
        }

    def number(self, row: str, column: str, found: Resampled, paper: float | None, described: str, n: int) -> Number:
        """Return a share as a number of a table."""
        low, high = (100 * end for end in found.interval)
        return Number(row, column, 100 * found.value, low, high, n, paper, described)

    def images(self, *kinds: str) -> int:
        """Return how many test images some kinds and their clean counterparts are."""
        every = {*kinds, *(self._against(kind) for kind in kinds)}
        return sum(int((self.bench.test.kinds == kind).sum()) for kind in every)

    @property
    def floor_setting(self) -> str:
        """How the floor was measured."""
        return setting(
            data=f"{Path(self.data).name}, the clean originals of the bank's images",
            size=f"{self.bench.papers.size_px} px",
            by="a logistic regression of residuals, trained on those of the training part",
        )

    @cached_property
    def _draws(self) -> KinBootstrap:
        return KinBootstrap(self.bench.test.kin.tolist(), seed=self.bench.seed, replicates=self.replicates)

    def _against(self, kind: str) -> str:
        return counterpart(kind, self.bench.papers.kinds)

    def _measure(self, backbone: Backbone, taught: Taught) -> Measures:
        scores = self.bench.scores(backbone, taught)
        kin = {kind: self.bench.test.of(kind).kin.tolist() for kind in scores}
        areas, accuracies = {}, {}
        for kind in self.bench.kinds:
            against = self._against(kind)
            areas[kind] = self._draws.area(scores[against], kin[against], scores[kind], kin[kind])
            called = self._draws.share(scores[kind] > 0, kin[kind])
            passed = self._draws.share(scores[against] <= 0, kin[against])
            accuracies[kind] = Resampled((called.values + passed.values) / 2)
        return Measures(areas, accuracies)


def alone(kind: str) -> Taught:
    """Return the teaching of one kind."""
    return Taught(kind, (kind,))
