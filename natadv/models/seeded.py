"""Seeded: torch's global generator of the CPU, lent with a seed and put back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let fresh weights be drawn on the CPU by a seed; nothing else notices.

    `torch.manual_seed` would seed every GPU of the process too, which nobody puts back.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
