"""What `natadv papers rdba` was asked for, and what its tables share."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from natadv.backdoors.measure import Measured, measure, towards
from natadv.backdoors.poison import Poisoning
from natadv.campaign.natural_rain import Rain, kept_rain, natural_rain
from natadv.data.load import load_dataset
from natadv.evaluation.rates import Rate
from natadv.models.classifier import Classifier
from natadv.papers.number import Number, percentage
from natadv.papers.rdba_tables.bench import Bench
from natadv.training.pictures import Pictures
from rigs.archive import open_archive

_RAIN = "rain/2"  # what makes it; another where that changes


@dataclass(frozen=True)
class RdbaRequest:
    """Everything a table is made of.

    Attributes:
        bench: data, training and cache.
        triggers: of table 1, stealth and figures 5, 7 and 8, by their names.
        alphas: of table 2 and figure 6.
        shares: of figure 3.
        pruned: percents of weights in figure 7.
        epochs: of fine-tuning, in figures 5 to 7.
        pairs: folder of real clean and wet photographs, or None.
        session: folder of a recorded session, or None.
    """

    bench: Bench
    triggers: tuple[str, ...]
    alphas: tuple[float, ...]
    shares: tuple[float, ...]
    pruned: tuple[int, ...]
    epochs: int
    pairs: Path | None = None
    session: Path | None = None

    def rain(self) -> list[Rain]:
        """Return the natural rain before this bench's test images; it is made once and kept."""
        folder = self.bench.clean_folder()
        test = self.bench.test()
        made_of = [_RAIN, folder.name, self.pairs, self.session, self.bench.seed, test.counted, *self._sources()]
        path = self.bench.cache / f"rain-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]}.npz"
        if not path.exists():
            self.bench.notice("making rain that nobody planted")
        labels = load_dataset(folder, "test").labels
        made = natural_rain(test, labels, 0, pairs=self.pairs, session=self.session, seed=self.bench.seed)
        return kept_rain(path, made)

    def _sources(self) -> Iterator[str]:
        """Yield what the rain's folders hold: a session that was gone on with has other frames to show."""
        if self.session is not None:
            yield from (f"{item.sha256} {item.origin}" for item in open_archive(self.session).complete_items())
        if self.pairs is not None:
            yield from sorted(path.relative_to(self.pairs).as_posix() for path in self.pairs.rglob("*.*"))

    def model_of(self, poisoning: Poisoning | None) -> Classifier:
        """Return a model of the bench, trained or as kept."""
        return self.bench.trained(poisoning)

    def measured(self, model: Classifier, poisoning: Poisoning, test: Pictures) -> Measured:
        """Return accuracy and attack success of a model."""
        return measure(model, test, poisoning, self.bench.device)

    def tenth(self) -> Pictures:
        """Return one in ten clean training images, drawn by the bench's seed: what who repairs has.

        They are of the training set, as the paper's seem to be; it does not say.
        """
        import numpy as np  # noqa: PLC0415

        clean = self.bench.clean_training()
        drawn = np.sort(np.random.default_rng([self.bench.seed, 5]).permutation(len(clean))[: max(2, len(clean) // 10)])
        return clean.subset(drawn)


def share(row: str, column: str, rate: Rate, shown: Pictures, *, paper: float | None, setting: str) -> Number:
    """Return a share of some pictures as a number, which says how its interval counts them."""
    return percentage(row, column, rate, paper=paper, setting=f"{setting}; interval {shown.counted}")


def rain_numbers(
    request: RdbaRequest, model: Classifier, row: str, rains: list[Rain], setting: str
) -> Iterator[Number]:
    """Yield how many pictures in natural rain become the target, a number a kind of rain."""
    for rain in rains:
        rate = towards(model, rain.pictures, 0, request.bench.device)
        yield share(row, rain.name, rate, rain.pictures, paper=None, setting=setting + _of(request, rain))


def _of(request: RdbaRequest, rain: Rain) -> str:
    """Return what a kind of rain was taken from."""
    if rain.name.startswith("photographed") and request.pairs is not None:
        return f"; differences of pairs in {request.pairs.name}, laid over"
    if rain.name.startswith("filmed") and request.session is not None:
        recorded = open_archive(request.session).settings
        return f"; session {request.session.name} ({recorded.rig['name']}, for the {recorded.purpose}), a frame a clip"
    return ""
