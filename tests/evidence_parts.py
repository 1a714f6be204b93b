"""Frames, answers and alarms of evidence, as tests write them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from edge.evidence import (
    AlarmInfo,
    Answer,
    EvidenceClip,
    EvidenceStore,
)
from edge.recorder import EvidenceRule
from rigs.frame import Frame
from rigs.geometry import whole
from tests.tiny_bundle import GREEN, LABELS, RED

SIZE = (16, 24)
BEGAN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
RULE = EvidenceRule(before_s=2, after_s=2, longest_s=8, rest_s=3)


def frame(number: int, colour: tuple[int, int, int] = RED, size: tuple[int, int] = SIZE) -> Frame:
    """Return a frame of ten a second."""
    return Frame(np.full((*size, 3), colour, np.uint8), number, number / 10)


def info(second: int = 0, signs: tuple[str, ...] = ("flicker",)) -> AlarmInfo:
    at = BEGAN + timedelta(seconds=second)
    return AlarmInfo(at=at, signs=signs, said="green", source="0", model_sha256="0" * 64, labels=LABELS)


def answer(number: int, label: str = "red", confidence: float = 0.9) -> Answer:
    return Answer(index=number, timestamp_s=number / 10, label=label, confidence=confidence)


def write(store: EvidenceStore, second: int = 0, count: int = 6) -> EvidenceClip:
    frames = [frame(number, GREEN if number % 2 else RED) for number in range(count)]
    answers = [answer(number, "green" if number % 2 else "red") for number in range(count)]
    return store.write(frames, answers, info(second), geometry=whole(SIZE))


SHAPE = (*SIZE, 3)


def indices(frames: Sequence[Frame]) -> list[int]:
    return [one.index for one in frames]


def indices_of(clip: EvidenceClip) -> list[int]:
    return [one.index for one in clip.answers()]
