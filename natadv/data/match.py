"""Match a dataset's classes with a model's, by label."""

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.errors import DataError

_SHOWN = 16


def some_of(labels: Sequence[str], wanted: str = "") -> str:
    """Return labels as a message names them: all, or the most like the wanted one where they are many."""
    if len(labels) <= _SHOWN:
        return ", ".join(labels)
    near = get_close_matches(wanted, labels, 3, 0.0) if wanted else list(labels[:3])
    return f"{', '.join(near)}, ... ({len(labels)} in all)"


def split_labels(labels: str | None) -> tuple[str, ...] | None:
    """Return the labels of an option's LABEL,LABEL,...; None for none."""
    return tuple(label.strip() for label in labels.split(",")) if labels else None


def targets_by_label(dataset: Dataset, labels: Sequence[str], *, model: str = "the model") -> NDArray[np.int64]:
    """Return what a model calls each image, the place of its label among the model's, (n,).

    Raises:
        DataError: if the data have a label that `model` lacks.
    """
    places = {label: place for place, label in enumerate(labels)}
    unknown = next((label for label in dataset.labels if label not in places), None)
    if unknown is not None:
        raise DataError(
            f"{dataset.name}: label {unknown!r} is not one of {model}'s {len(labels)} labels: {some_of(labels)}"
        )
    return np.array([places[dataset.labels[target]] for target in dataset.targets], np.int64)
