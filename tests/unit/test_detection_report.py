"""What `natadv detect test` says in lines and draws: rates that its images can tell, and axes in plain numbers."""

import numpy as np
import pytest

from natadv.detection.measure import BankMeasured, KindMeasured
from natadv.detection.report import lines
from natadv.detection.roc_picture import roc_figure
from natadv.evaluation.rates import Rate
from natadv.evaluation.roc import Measured


def found(count: int, false_alarms: float = 0.01) -> BankMeasured:
    rng = np.random.default_rng(0)
    one = KindMeasured(
        "pgd", "artificial", True, count, "clean", Measured(0.9, 0.8, 1.0), Measured(0.5, 0.4, 0.6), Rate(3, count)
    )
    scores = {"clean": rng.random(count), "pgd": rng.random(count) + 0.5}
    return BankMeasured(false_alarms, {"clean": Rate(0, count)}, (one,), scores)


@pytest.mark.parametrize(("count", "share", "told"), [(30, 0.01, False), (100, 0.01, True), (30, 0.1, True)])
def test_a_rate_finer_than_its_images_can_tell_is_said_to_be(count: int, share: float, told: bool) -> None:
    said = "\n".join(lines(found(count, share)))
    assert ("less than one of 30 clean images" in said) is not told
    assert ("--false-alarms 0.034" in said) is not told


def test_the_axis_of_false_alarms_has_plain_numbers() -> None:
    figure = roc_figure(found(300), "a title")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()][-3:] == ["1", "10", "100"]
