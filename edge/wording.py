"""Words of strangers, fit for our one line: what files and libraries say may hold anything, and be of any length."""

from typing import Final

MOST_CHARACTERS: Final = 200


def one_line(text: object, most: int = MOST_CHARACTERS) -> str:
    """Return the first line of a text that is none of ours, printable and not too long."""
    lines = [line.strip() for line in str(text)[: 50 * most].splitlines() if line.strip()]
    first = lines[0] if lines else "" if isinstance(text, str) else type(text).__name__
    # A terminal would obey what is not printable.
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in first[: most + 1])
    return shown if len(shown) <= most else f"{shown[:most]}..."
