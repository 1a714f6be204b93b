"""Labels of classes, as an option lists them and as a message names them."""

from collections.abc import Sequence
from difflib import get_close_matches

_SHOWN = 16


def some_of(labels: Sequence[str], wanted: str = "") -> str:
    """Return labels as a message names them: all, or the most like the wanted one where they are many."""
    if len(labels) <= _SHOWN:
        return ", ".join(labels)
    near = get_close_matches(wanted, labels, 3, 0.0) if wanted else list(labels[:3])
    same = [label for label in labels if wanted and label.lstrip("0") == wanted.lstrip("0")]  # 01 for 1
    near = list(dict.fromkeys([*same, *near]))[:3]
    return f"{', '.join(near)}, ... ({len(labels)} in all)"


def split_labels(labels: str | None) -> tuple[str, ...] | None:
    """Return the labels of an option's LABEL,LABEL,...; None for none."""
    return tuple(label.strip() for label in labels.split(",")) if labels else None
