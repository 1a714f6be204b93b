"""Noise: the chance of a randomised model, drawn outside of its graph from a stream that nobody can foresee.

Inside a graph, chance is frozen, seeded by the clock or shared between sessions, so it comes in as whole numbers
(docs/decisions/0009-deployed-models.md). They are SHAKE-256 (FIPS 202) of a secret seed and a number that is never used
twice: who watches the answers learns nothing of the next one's noise, and who has the seed can replay any pass.
"""

import hashlib
import itertools
import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.manifest import PICK, SHIFT, RainNoise
from natadv.errors import ConfigError

SEED_BYTES = 32
_NUMBER_BYTES = 16
_AHEAD = 16  # numbers at once: for one alone, each small call finds the caches full of the model
_AHEAD_BYTES = 1 << 16  # of their streams at most, or the frame that waits for them would be late
_WORD_BYTES = 8


def seed_from_hex(text: str) -> bytes:
    """Return the seed that `NoiseStream.seed` gave.

    Raises:
        ConfigError: if it is none.
    """
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise ConfigError(f"noise seed {text[:80]!r}: expected {2 * SEED_BYTES} hex digits, as a run says them")
    return seed


class NoiseStream:
    """Numbered noise of a model; several threads may draw from it.

    Attributes:
        seed: hex; a secret as long as the model runs, kept in the run's log for replay.
    """

    def __init__(self, noise: RainNoise, seed: bytes | None = None) -> None:
        """Begin a stream.

        Args:
            noise: what the model takes.
            seed: 32 bytes; by default fresh ones of the operating system.

        Raises:
            ValueError: if the seed is of another length.
        """
        self._seed = secrets.token_bytes(SEED_BYTES) if seed is None else seed
        if len(self._seed) != SEED_BYTES:
            raise ValueError(f"expected a seed of {SEED_BYTES} bytes, got {len(self._seed)}")
        self._noise = noise
        self._fresh = itertools.count()
        self._picks = 0 if noise.pick is None else int(np.prod(noise.pick))
        self._shifts = 0 if noise.reach is None else 2 * noise.draws
        self._size = self._picks + _WORD_BYTES * self._shifts
        self._block = max(1, min(_AHEAD, _AHEAD_BYTES // self._size))
        self._ahead: tuple[int, dict[str, NDArray[np.int32]]] | None = None

    @property
    def seed(self) -> str:
        """The seed in hex."""
        return self._seed.hex()

    def fresh(self, count: int) -> list[int]:
        """Return numbers that were never returned before."""
        return [next(self._fresh) for _ in range(count)]  # one step of a count is atomic

    def at(self, numbers: Sequence[int]) -> dict[str, NDArray[np.int32]]:
        """Return the noise of these numbers by input, int32, a row each."""
        if not numbers:
            return self._drawn(numbers)
        block, first = divmod(numbers[0], self._block)
        last = first + len(numbers)
        if last > self._block or any(number != numbers[0] + k for k, number in enumerate(numbers)):
            return self._drawn(numbers)
        ahead = self._ahead  # one look: another thread may put its own in place
        if ahead is None or ahead[0] != block:
            self._ahead = ahead = block, self._drawn(range(block * self._block, (block + 1) * self._block))
        return {name: values[first:last].copy() for name, values in ahead[1].items()}

    def _drawn(self, numbers: Sequence[int]) -> dict[str, NDArray[np.int32]]:
        begun = (hashlib.shake_256(self._seed + number.to_bytes(_NUMBER_BYTES, "big")) for number in numbers)
        streams = b"".join(stream.digest(self._size) for stream in begun)
        rows = np.frombuffer(streams, np.uint8).reshape(len(numbers), self._size)
        found: dict[str, NDArray[np.int32]] = {}
        if self._noise.pick is not None:
            # Four divides 256, so the two lowest bits of a byte are as likely one as another.
            found[PICK] = (rows[:, : self._picks] & 3).astype(np.int32).reshape(len(numbers), *self._noise.pick)
        if self._noise.reach is not None:
            words = np.ascontiguousarray(rows[:, self._picks :]).view(">u8")
            uniform = words.astype(np.float64) / 2**63 - 1
            found[SHIFT] = np.rint(uniform * np.tile(self._noise.reach, self._noise.draws)).astype(np.int32)
        return found
