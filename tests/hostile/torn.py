"""Bytes that were damaged, cut off, mixed up or exchanged, as disks, downloads and people do."""

from collections.abc import Callable
from random import Random

from tests.hostile.bases import NAMES, base

Files = dict[str, bytes]
Change = Callable[[Random, Files], Files]


def flip_bits(rng: Random, files: Files) -> Files:
    """Turn over one bit, or a few."""
    name = rng.choice(NAMES)
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return files | {name: bytes(data)}


def write_over(rng: Random, files: Files) -> Files:
    """Put other bytes in a place: zeros, ones, chance, or others of the same file."""
    name = rng.choice(NAMES)
    data = bytearray(files[name])
    start, size = rng.randrange(len(data)), rng.choice((1, 1, 1, 2, 4, 8, 64, 512))
    source = rng.randrange(len(data))
    size = min(size, len(data) - max(start, source))
    new = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size), bytes(data[source : source + size])))
    data[start : start + size] = new
    return files | {name: bytes(data)}


def cut_off(rng: Random, files: Files) -> Files:
    """Lose the end, the beginning, or all."""
    name = rng.choice(NAMES)
    data = files[name]
    at = rng.randrange(len(data))
    return files | {name: rng.choice((data[:at], data[at:], b"", data[:-1], data[: len(data) // 2]))}


def lengthen(rng: Random, files: Files) -> Files:
    """Put something before, behind or into the file."""
    name = rng.choice(NAMES)
    data = files[name]
    more = rng.choice((b"\n", b" ", bytes(16), rng.randbytes(rng.randrange(1, 5000)), data, bytes(1 << 20)))
    at = rng.choice((0, len(data), rng.randrange(len(data))))
    return files | {name: data[:at] + more + data[at:]}


def exchange(rng: Random, files: Files) -> Files:
    """Give one file another's bytes."""
    one, other = rng.sample(NAMES, 2)
    return files | {one: files[other]} | rng.choice(({}, {other: files[one]}))


def of_another_bundle(rng: Random, files: Files) -> Files:
    """Take a file or two of another bundle."""
    stranger = base("other")
    return files | {name: stranger[name] for name in rng.sample(NAMES, rng.choice((1, 2)))}


def noise(rng: Random, files: Files) -> Files:
    """Nothing of a file is left."""
    return files | {rng.choice(NAMES): rng.randbytes(rng.choice((1, 10, 1000, 100_000)))}


CHANGES: tuple[Change, ...] = (flip_bits, write_over, write_over, cut_off, lengthen, exchange, of_another_bundle, noise)
