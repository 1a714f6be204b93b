"""What holds, and what is an alarm, in rows of predictions."""

import numpy as np
import pytest

from edge.alarm import AlarmRule, Alarms, parse_rule
from edge.prediction import Prediction
from edge.steady import Steady, SteadyRule
from natadv.errors import ConfigError

NOTHING = np.zeros(3, np.float32)


def said(label: str, confidence: float = 0.9, **more: float) -> Prediction:
    return Prediction(label, 0, confidence, NOTHING, **more)  # type: ignore[arg-type]


def signs_of(predictions: list[Prediction], rule: AlarmRule) -> list[tuple[str, ...]]:
    alarms = Alarms(rule)
    return [alarms.add(one, 0.1 * place)[0] for place, one in enumerate(predictions)]


RULE = AlarmRule(frames=5, confidence=0.5, changes=3, disagreement=0.3, quiet_s=0.5)


def test_a_label_holds_after_enough_equal_sure_answers() -> None:
    steady = Steady(SteadyRule(frames=3, threshold=0.5))
    row = [("a", 0.9), ("a", 0.9), ("b", 0.9), ("a", 0.9), ("a", 0.9), ("a", 0.9), ("b", 0.9), ("b", 0.9), ("b", 0.5)]
    held = [steady.add(said(*one)) for one in row]
    assert held == [None] * 5 + ["a"] * 3 + ["b"]


def test_an_unsure_answer_breaks_the_row() -> None:
    steady = Steady(SteadyRule(frames=2, threshold=0.5))
    assert [steady.add(said("a", c)) for c in (0.9, 0.4, 0.9, 0.9)] == [None, None, None, "a"]
    assert steady.add(said("a", 0.1)) == "a"  # what held, holds
    steady.reset()
    assert steady.add(said("a")) is None


def test_nothing_is_said_of_too_few_frames() -> None:
    assert signs_of([said("a", 0.1)] * 4, RULE) == [()] * 4


def test_low_confidence_on_the_average() -> None:
    assert signs_of([said("a", 0.9)] * 3 + [said("a", 0.1)] * 4, RULE)[-3:] == [(), ("uncertain",), ("uncertain",)]
    assert signs_of([said("a", 0.5)] * 5, RULE)[-1] == ("uncertain",)
    assert signs_of([said("a", 0.51)] * 5, RULE)[-1] == ()


def test_flicker_is_counted_over_the_frames_looked_back_on() -> None:
    assert signs_of([said(label) for label in "ababa"], RULE)[-1] == ("flicker",)
    assert signs_of([said(label) for label in "aabba"], RULE)[-1] == ()
    assert signs_of([said(label) for label in "ababaaaaa"], RULE)[-1] == ()


def test_disagreement_and_the_detectors_call() -> None:
    assert signs_of([said("a", disagreement=0.31)] * 5, RULE)[-1] == ("disagreement",)
    assert signs_of([said("a", disagreement=0.29)] * 5, RULE)[-1] == ()
    assert signs_of([said("a")] * 5, RULE)[-1] == ()
    assert signs_of([said("a", score=0.7, threshold=0.6)] * 5, RULE)[-1] == ("score",)
    assert signs_of([said("a", score=0.6, threshold=0.6)] * 5, RULE)[-1] == ()
    off = AlarmRule(frames=5, confidence=None, changes=None, disagreement=None, score=False)
    assert signs_of([said("a", 0.1, disagreement=0.9, score=0.9, threshold=0.1)] * 5, off)[-1] == ()


def test_an_alarm_begins_once_and_ends_after_quiet() -> None:
    alarms = Alarms(RULE)
    row = [said("a", 0.1)] * 8 + [said("a", 0.9)] * 20
    turns = [alarms.add(one, 0.1 * place)[1] for place, one in enumerate(row)]
    assert [place for place, turn in enumerate(turns) if turn] == [4]
    (end,) = [place for place, turn in enumerate(turns) if turn is False]
    # The mean of five passes 0.5 with the third sure answer; half a second of quiet follows the last sign at 9.
    assert end == 14
    assert not alarms.on


def test_after_an_outage_it_looks_back_on_new_frames_alone() -> None:
    alarms = Alarms(RULE)
    for place in range(5):
        alarms.add(said("a", 0.1), 0.1 * place)
    alarms.reset()
    assert alarms.on
    assert alarms.add(said("a", 0.1), 0.5) == ((), None)


@pytest.mark.parametrize(("confidence", "over"), [(0.1, None), (0.9, False)])
def test_an_alarm_that_a_swap_meets_is_not_over_before_the_new_model_was_looked_at(
    confidence: float, over: bool | None
) -> None:
    alarms = Alarms(RULE)
    for place in range(5):
        alarms.add(said("a", 0.1), 1.0 * place)
    alarms.reset()
    # A model of one answer a second needs longer for as many as are looked back on than quiet lasts.
    turns = [alarms.add(said("a", confidence), 1.0 * place)[1] for place in range(5, 10)]
    assert turns == [None] * 4 + [over]


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"quiet_s": -1.0}])
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected two frames or more"):
        AlarmRule(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one frame or more"):
        SteadyRule(frames=0)


def test_a_rule_is_read_from_words() -> None:
    rule = parse_rule(["confidence=0.3", "changes=off", "frames=30", "score=off", "quiet_s=2.5"])
    assert rule == AlarmRule(frames=30, confidence=0.3, changes=None, score=False, quiet_s=2.5)
    assert parse_rule([]) == AlarmRule()
    assert (parse_rule([]).score, parse_rule(["score=on"]).score) == (None, True)
    assert parse_rule(["frames=4", "changes=3"]) == AlarmRule(frames=4, changes=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("confidense=0.3", "NAME one of frames, confidence"),
        ("confidence", "could not convert"),
        ("confidence=2", "0 to 1"),
        ("confidence=nan", "0 to 1"),
        ("frames=1", "2 to"),
        ("frames=off", "invalid literal"),
        ("changes=2.5", "invalid literal"),
        ("score=1", "on or off"),
        ("quiet_s=-1", "0 to 3600"),
        ("changes=15", "15 changes among 15 answers, which have 14 at most; say fewer, or changes=off"),
        ("frames=4", "4 changes among 4 answers"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_rule([text])
