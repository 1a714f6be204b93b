"""Alarms: signs in a live run that the model is being fooled, or does not know.

uncertain     low confidence, on the average of the last frames
flicker       the label changed too often in the last frames
disagreement  a randomised model's draws of one frame differ
score         the detector of adversarial examples calls, above the threshold that the bundle states
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge.prediction import Prediction
from natadv.errors import ConfigError

Sign = str


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """What raises an alarm; None turns a sign off.

    Attributes:
        frames: predictions that are looked back on.
        confidence: their mean at or below this is uncertain.
        changes: of the label among them, this many or more, are flicker.
        disagreement: their mean at or above this is too much.
        score: whether the detector's call counts: their mean score above the bundle's threshold. None: where the
            bundle has a detector; True: a run does not begin with a bundle that has none.
        quiet_s: an alarm ends when there was no sign for so long.
    """

    frames: int = 15
    confidence: float | None = 0.5
    changes: int | None = 4
    disagreement: float | None = 0.3
    score: bool | None = None
    quiet_s: float = 1.0

    def __post_init__(self) -> None:
        if self.frames < 2 or self.quiet_s < 0:
            raise ValueError(f"expected two frames or more and no negative time, got {self.frames}, {self.quiet_s}")


def parse_rule(texts: Sequence[str]) -> AlarmRule:
    """Read NAME=VALUE, as `confidence=0.3` or `changes=off`; what is not named is the default.

    Raises:
        ConfigError: if there is no such name, the value is out of its range, or so many changes can never be.
    """
    found = asdict(AlarmRule())
    for text in texts:
        name, _, value = text.partition("=")
        if name not in found:
            raise ConfigError(f"--alarm {text}: expected NAME=VALUE, NAME one of {', '.join(found)}")
        try:
            found[name] = _value(name, value)
        except ValueError as error:
            raise ConfigError(f"--alarm {text}: {error}") from error
    frames, changes = found["frames"], found["changes"]
    if changes is not None and changes >= frames:
        raise ConfigError(
            f"--alarm {' '.join(texts)}: {changes} changes among {frames} answers, which have {frames - 1} at most;"
            " say fewer, or changes=off"
        )
    return AlarmRule(**found)


def _value(name: str, text: str) -> float | None:
    if name == "score":
        if text not in ("on", "off"):
            raise ValueError("expected on or off")
        return text == "on"
    if text == "off" and name not in ("frames", "quiet_s"):
        return None
    whole = name in ("frames", "changes")
    number = int(text) if whole else float(text)
    least, most = {"frames": (2, 10_000), "changes": (1, 10_000), "quiet_s": (0, 3600)}.get(name, (0, 1))
    if not least <= number <= most:
        raise ValueError(f"expected {least} to {most}")
    return number


class Alarms:
    """Watches predictions, and says which signs there are and when an alarm begins and ends.

    Attributes:
        on: whether there is an alarm.
    """

    def __init__(self, rule: AlarmRule) -> None:
        self.on = False
        self._rule = rule
        self._recent: deque[Prediction] = deque(maxlen=rule.frames)
        self._changes: deque[bool] = deque(maxlen=rule.frames - 1)
        self._last_sign_s = 0.0

    def add(self, prediction: Prediction, now_s: float) -> tuple[tuple[Sign, ...], bool | None]:
        """Return the signs after one more prediction, and whether an alarm begins (True), ends (False) or neither.

        Nothing is said before as many frames came as are looked back on: no alarm begins, and one that is on goes on.
        """
        if self._recent:
            self._changes.append(self._recent[-1].label != prediction.label)
        self._recent.append(prediction)
        if len(self._recent) < self._rule.frames:
            return (), None
        signs = self._signs()
        if signs:
            self._last_sign_s = now_s
            if not self.on:
                self.on = True
                return signs, True
        elif self.on and now_s - self._last_sign_s >= self._rule.quiet_s:
            self.on = False
            return signs, False
        return signs, None

    def reset(self) -> None:
        """Forget the last frames: others, or another model's, follow. An alarm goes on until enough of them came."""
        self._recent.clear()
        self._changes.clear()

    def _signs(self) -> tuple[Sign, ...]:
        rule, recent = self._rule, self._recent
        found: list[Sign] = []
        if rule.confidence is not None and sum(one.confidence for one in recent) <= rule.confidence * len(recent):
            found.append("uncertain")
        if rule.changes is not None and sum(self._changes) >= rule.changes:
            found.append("flicker")
        apart = [one.disagreement for one in recent if one.disagreement is not None]
        if rule.disagreement is not None and len(apart) == len(recent) and sum(apart) >= rule.disagreement * len(apart):
            found.append("disagreement")
        above = [one.score - one.threshold for one in recent if one.score is not None and one.threshold is not None]
        if rule.score is not False and len(above) == len(recent) and sum(above) > 0:
            found.append("score")
        return tuple(found)
