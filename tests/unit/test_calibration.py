"""Temperatures and calibration errors that are known beforehand."""

import math

import pytest
import torch

from natadv.evaluation.calibration import HIGHEST, LOWEST, calibration_error, fit_temperature, reliability


def said(confidence, right, of):
    """Two classes, `of` images, each called class 0 with this confidence, `right` of them rightly."""
    logits = torch.tensor([[math.log(confidence), math.log(1 - confidence)]]).repeat(of, 1)
    return logits, torch.tensor([0] * right + [1] * (of - right))


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_the_temperature_undoes_how_much_too_sure_a_model_is(scale):
    logits, targets = said(0.8, 80, 100)
    assert fit_temperature(scale * logits, targets) == pytest.approx(scale, rel=1e-4)


def test_it_is_the_one_for_which_the_confidence_is_the_accuracy():
    logits, targets = said(0.99, 70, 100)
    found = torch.softmax(logits / fit_temperature(logits, targets), 1)
    assert found[0, 0] == pytest.approx(0.7, abs=1e-4)
    assert calibration_error(found, targets) == pytest.approx(0, abs=1e-4)


def test_it_stays_within_its_ends():
    logits, targets = said(0.8, 100, 100)
    assert fit_temperature(logits, targets) == pytest.approx(LOWEST, rel=1e-3)
    assert fit_temperature(logits, 1 - targets) == pytest.approx(HIGHEST, rel=1e-3)


def test_the_error_is_the_gap_of_each_bin_by_its_size():
    (sure, one), (unsure, other) = said(0.9, 15, 20), said(0.6, 24, 30)
    found = calibration_error(torch.softmax(torch.cat([sure, unsure]), 1), torch.cat([one, other]))
    assert found == pytest.approx((20 * 0.15 + 30 * 0.2) / 50, abs=1e-6)
    assert calibration_error(torch.softmax(sure, 1), one, bins=1) == pytest.approx(0.15, abs=1e-6)


def test_a_bin_says_how_sure_and_how_often_right():
    (sure, one), (unsure, other) = said(0.9, 15, 20), said(0.6, 24, 30)
    low, high = reliability(torch.softmax(torch.cat([sure, unsure]), 1), torch.cat([one, other]), bins=4)
    assert (low.confidence, low.right.hits, low.right.total) == (pytest.approx(0.6), 24, 30)
    assert (high.confidence, high.right.hits, high.right.total) == (pytest.approx(0.9), 15, 20)


def test_gaps_of_one_bin_cancel_and_of_two_do_not():
    both = torch.cat([torch.softmax(said(0.9, 7, 10)[0], 1), torch.softmax(said(0.6, 8, 10)[0], 1)])
    targets = torch.cat([said(0.9, 7, 10)[1], said(0.6, 8, 10)[1]])
    assert calibration_error(both, targets, bins=2) == pytest.approx(0, abs=1e-6)
    assert calibration_error(both, targets, bins=4) == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize(
    ("logits", "targets"),
    [(torch.zeros(0, 2), torch.zeros(0)), (torch.zeros(2, 2), torch.zeros(1)), (torch.full((1, 2), math.nan), [0])],
)
def test_senseless_answers_are_refused(logits, targets):
    with pytest.raises(ValueError, match="expected finite logits"):
        fit_temperature(logits, torch.as_tensor(targets, dtype=torch.int64))
    with pytest.raises(ValueError, match="expected images and bins"):
        calibration_error(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
