"""Manifests that say what they should not, their digests mended wherever they still have some."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from edge.bundle import MANIFEST
from edge.manifest import FORMAT
from tests.hostile.bases import sealed, sealed_manifest
from tests.hostile.torn import Files

_PATHS = ("../../../etc/passwd", "/dev/zero", "model.onnx", "~root/.ssh", "file:///etc/passwd", "C:\\x", "a" * 300)
_WORDS = ("", "x" * 3_000_000, "\x00", "two\nlines", "\x1b[2J\x1b]0;x\x07", "\ud800", "\u202eedoc", "é", "%s%n", "{0}")
_ODD = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 5000, "0x10", "1_0", "01", "1e0", ".5", "+1")
_NUMBERS = (
    -1,
    0,
    1,
    7,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    -0.0,
    0.5,
    1e-45,
    5e-324,
    1e308,
    float("nan"),
    float("inf"),
)


def another_value(rng: Random, files: Files) -> Files:
    """Some value, however deep, is another."""

    def change(content: dict[str, Any]) -> None:
        for _ in range(rng.choice((1, 1, 2))):
            holder, key = rng.choice(list(_places(content)))
            holder[key] = _value(rng)

    return _edited(files, change)


def another_number(rng: Random, files: Files) -> Files:
    """Some number is another number."""

    def change(content: dict[str, Any]) -> None:
        numbers = [(holder, key) for holder, key in _places(content) if isinstance(holder[key], (int, float))]
        holder, key = rng.choice(numbers)
        holder[key] = rng.choice((*_NUMBERS, 8192, 8193, 65536, -5, holder[key] * 2))

    return _edited(files, change)


def sizes(rng: Random, files: Files) -> Files:
    """The model is said to take huge frames, or much chance."""

    def change(content: dict[str, Any]) -> None:
        height, width = rng.choice(((8192, 8192), (8192, 1), (2**40, 2**40), (-8, 6), (0, 0), (4096, 4096), (6, 8)))
        content["input"] = {"height": height, "width": width}
        halves = [-(-height // 2), -(-width // 2)]
        draws = rng.choice((1, 256, 257, 2**40))
        noises = (None, {"draws": draws, "pick": [3 * draws, *halves], "reach": [1.0, 1.0]})
        content["noise"] = rng.choice((*noises, content["noise"]))

    return _edited(files, change)


def keys(rng: Random, files: Files) -> Files:
    """A key is missing, strange, or of another name."""

    def change(content: dict[str, Any]) -> None:
        objects = [content] + [value for value in content.values() if isinstance(value, dict) and value]
        holder = rng.choice(objects)
        key = rng.choice(list(holder))
        kind = rng.randrange(3)
        if kind != 1:
            value = holder.pop(key)
        if kind == 1:
            holder[rng.choice((*_PATHS, *_WORDS))] = _value(rng)
        elif kind == 2:
            holder[key + rng.choice(("\n", " ", "\x1b[1m", "é", "s"))] = value

    return _edited(files, change)


def labels(rng: Random, files: Files) -> Files:
    """Labels that cannot be shown, are endless, or are not as many as the classes."""

    def change(content: dict[str, Any]) -> None:
        kind = rng.randrange(4)
        count = len(content["labels"])
        if kind == 0:
            content["labels"][rng.randrange(count)] = rng.choice((*_WORDS, *_PATHS))
        elif kind == 1:
            content["labels"] = [str(k) for k in range(rng.choice((1, count + 1, 100_000)))]
        elif kind == 2:
            content["labels"] = [rng.choice(("x", "\t", "é")) * (1_000_000 + k) for k in range(count)]
        else:
            content["labels"] = rng.sample(content["labels"], count)

    return _edited(files, change)


def words(rng: Random, files: Files) -> Files:
    """Text that is JSON, or nearly, but not as it was written."""
    text = files[MANIFEST].decode()
    line = rng.choice(text.splitlines()[1:-1])
    number = rng.choice(re.findall(r"\d+\.?\d*", text))
    odd = rng.choice(_ODD)
    changed = rng.choice(
        (
            text.replace(line, f"{line}\n{line}" if line.endswith(",") else line + ","),
            text.replace(line, f'"labels": [1, 2],\n{line}'),
            text.replace(number, odd, 1),
            "\ufeff" + text,
            text + "{}",
            text.replace("\n", "\r\n"),
            json.dumps(json.loads(text)),
            text.replace('"', "'"),
            f"// a comment\n{text}",
            f"[{text}]",
            text + "\x00",
        )
    )
    encoded = {"utf-8": changed.encode(), "utf-16": changed.encode("utf-16"), "latin": changed.encode() + b"\xe9\xff"}
    return files | {MANIFEST: encoded[rng.choice(("utf-8",) * 6 + ("utf-16", "latin"))]}


def depth(rng: Random, files: Files) -> Files:
    """Brackets in brackets, or megabytes of small values."""
    much = rng.choice((900, 2_000, 100_000, 1_000_000))
    text = rng.choice(
        (
            "[" * much,
            '{"a":' * much,
            f'{{"format": "{FORMAT}", "labels": ' + "[" * much + "]" * much + "}",
            "[" * 500 + "]" * 500,
            "[" + "{}," * much + "{}]",
            '{"format": ' + '"' + "x" * much + '"}',
            "9" * much,
        )
    )
    return files | {MANIFEST: text.encode()}


def _edited(files: Files, change: Callable[[dict[str, Any]], None]) -> Files:
    content = json.loads(sealed(files)[MANIFEST])
    change(content)
    return files | {MANIFEST: sealed_manifest(content)}


def _value(rng: Random) -> Any:
    simple = (None, True, False, [], {}, [[]], {"": {}}, *_NUMBERS, *_WORDS, *_PATHS)
    deep: Any = []
    for _ in range(rng.choice((5, 300))):
        deep = rng.choice(([deep], {"a": deep}))
    return rng.choice((*simple, deep, ["x"] * 100_000))


def _places(content: Any) -> Any:
    """Yield (holder, key) of every value in a tree of JSON."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(items):
        yield content, key
        if isinstance(value, (dict, list)) and value:
            yield from _places(value)


CHANGES = (another_value, another_value, another_number, another_number, sizes, keys, keys, labels, words, words, depth)
