"""Table 6: RFID by eta, the classification loss that a generator was trained to aim at (Eq. 9)."""

from collections.abc import Iterator

from natadv.papers.advrd import TABLE_6
from natadv.papers.etas import by_eta
from natadv.papers.number import Number
from natadv.papers.reality import judge, number_of
from natadv.papers.request import Request

TITLE = "Table 6. Likeness to real raindrops (RFID) by eta"


def numbers(request: Request) -> Iterator[Number]:
    """Yield a column for each trained generator, in the order of their etas.

    Raises:
        ConfigError: without pairs or an extractor, if a generator is not trained, or if two have one eta.
        DataError: if a file cannot be read.
    """
    generators = by_eta(request.generators)
    judged = judge(request.with_generators(generators.values()), controls=False)
    for eta, one in zip(generators, judged, strict=True):
        yield number_of(one, "rfid", row="RFID", column=f"{eta:g}", paper=TABLE_6.get(eta))
