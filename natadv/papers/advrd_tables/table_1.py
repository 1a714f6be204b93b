"""Table 1: how like real raindrops generated ones are, as distances of features and as their ratio, RFID."""

from collections.abc import Iterator

from natadv.papers.advrd import TABLE_1
from natadv.papers.number import Number
from natadv.papers.reality import BENCH, CLEAN, RENDERED, judge, number_of
from natadv.papers.request import Request

TITLE = "Table 1. Likeness to real raindrops (RFID 1: as like as real ones are to each other)"


def numbers(request: Request) -> Iterator[Number]:
    """Yield a row for each generator, and for what it has to beat: no drops, and rendered ones.

    Raises:
        ConfigError: without pairs or an extractor.
        DataError: if a file cannot be read.
    """
    for judged in judge(request):
        control = judged.name in (CLEAN, RENDERED, BENCH)
        for column, paper in TABLE_1.items():
            yield number_of(judged, column, row=judged.name, column=column, paper=None if control else paper)
