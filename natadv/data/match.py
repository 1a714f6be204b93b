"""Match a dataset's classes with a model's, by label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.errors import DataError
from natadv.labels import some_of


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
