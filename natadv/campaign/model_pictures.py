"""One part of data as a model's pictures, for commands that take some of the data's classes alone."""

from pathlib import Path

from natadv.backdoors.planted import subset_of_classes
from natadv.data.load import load_dataset
from natadv.errors import ConfigError
from natadv.labels import some_of
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.pictures import Pictures, pictures_for


def model_pictures(
    data: str, split: str, loaded: LoadedClassifier, *, classes: tuple[str, ...] | None = None, root: Path
) -> Pictures:
    """Read one part of data at a model's size, under its classes.

    Args:
        data: as `load_dataset` takes it.
        split: `train` or `test`.
        loaded: the model.
        classes: of the data, these alone; None for all.
        root: where named data sets lie unpacked.

    Raises:
        ConfigError: if there are no such data or classes, or they have classes that the model lacks.
        DataError: if an image cannot be read.
    """
    dataset = subset_of_classes(load_dataset(data, split, root=root), classes)
    if unknown := [label for label in dataset.labels if label not in loaded.labels]:
        raise ConfigError(
            f"{data}: {len(unknown)} of its classes the model lacks, as {unknown[0]!r}; --classes takes some alone; "
            f"the model has {some_of(loaded.labels)}"
        )
    return pictures_for(dataset, loaded.labels, loaded.input_size)
