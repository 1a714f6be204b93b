"""Table 1: how like real raindrops generated ones are, as distances of features and as their ratio, RFID."""

from collections.abc import Iterator

from natadv.papers.advrd import TABLE_1
from natadv.papers.number import Number
from natadv.papers.reality import BENCH, CLEAN, RENDERED, judge, number_of
from natadv.papers.request import Request

TITLE = "Table 1. Likeness to real raindrops (RFID 1: as like as real ones are to each other)"

SAME = "FID to real drops on the same pictures"


def numbers(request: Request) -> Iterator[Number]:
    """Yield a row for each generator, and for what it has to beat: no drops, and rendered ones.

    Halves of few photographs differ far more by what they show than by their drops, so a ratio near 1 says little by
    itself: what counts is in how many splits a generator's is below a control's. The paper's ratio rests on another
    extractor and on 1119 pairs.

    Raises:
        ConfigError: without pairs or an extractor.
        DataError: if a file cannot be read.
    """
    found = list(judge(request))
    controls = {one.name: one.found for one in found if one.name in (CLEAN, RENDERED, BENCH)}
    for judged in found:
        control = judged.name in controls
        for column, paper in TABLE_1.items():
            yield number_of(judged, column, row=judged.name, column=column, paper=None if control else paper)
        yield Number(judged.name, SAME, judged.same, None, None, judged.found.crops, None, judged.setting)
        for name, against in () if control else controls.items():
            # Splits share their halves between generators, so the comparison is split by split.
            pairs = zip(judged.found.ratios, against.ratios, strict=True)
            below = sum(ours < theirs for ours, theirs in pairs)
            n = len(against.ratios)
            yield Number(
                judged.name, f"below {name} (% of splits)", 100 * below / n, None, None, n, None, judged.setting
            )
