"""The checkpoint of a classifier: one file with all that is needed to rebuild it.

A sealed file (`natadv.training.sealed`): it loads without running code, and knows the sha256 of its weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natadv.models.classifier import Classifier, create_classifier
from natadv.training.sealed import read_sealed, write_sealed
from natadv.training.trained import Trained, fits_description, trained_content, trained_fields

FORMAT = "natadv-checkpoint/1"


@dataclass(frozen=True, slots=True)
class LoadedClassifier(Trained):
    """A classifier as read from its file.

    Its metrics are `accuracy` (0..1), `accuracy_interval`, `interval` (how that counts images, in words), `images`.

    Attributes:
        model: on the CPU, in eval mode.
        labels: one label per logit.
        input_size: (height, width) in pixels.
        model_name: timm's name of the backbone.
    """

    model: Classifier
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    model_name: str

    @property
    def ancestors(self) -> list[str]:
        """Digests of the checkpoint that its training began with, of that one's own, and so on."""
        first = self.provenance.get("init_sha256")
        return list(self.provenance.get("ancestors", [first] if first else []))

    @property
    def unfinished(self) -> tuple[int, int] | None:
        """Epochs done and asked for, of a training in its middle; None where it came to its end."""
        return unfinished_part(self.training, self.recipe, "epoch")


def unfinished_part(state: Mapping[str, Any] | None, recipe: Mapping[str, Any], unit: str) -> tuple[int, int] | None:
    """Return how many of its epochs or steps a kept training has done, and how many were asked for.

    Args:
        state: to resume from; None in a finished file.
        recipe: that the training goes by.
        unit: "epoch" or "step".

    Returns:
        None where it came to its end; what is asked for is 0 where the recipe does not say.
    """
    if state is None:
        return None
    done, asked = int(state[unit]), int(recipe.get(f"{unit}s", 0))
    return None if done == asked else (done, asked)


def save_checkpoint(
    path: Path,
    model: Classifier,
    *,
    metrics: Mapping[str, Any],
    recipe: Mapping[str, Any],
    provenance: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a classifier; the file appears under its name only when it is whole.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    content = {
        "model_name": model.model_name,
        "model_kwargs": dict(model.model_kwargs),
        "labels": list(model.labels),
        "input_size": list(model.input_size),
        **trained_content(recipe=recipe, metrics=metrics, provenance=provenance, training=training),
    }
    write_sealed(path, FORMAT, model.state_dict(), content)


def load_classifier(path: Path) -> LoadedClassifier:
    """Read a classifier back.

    Raises:
        DataError: if the file is missing, torn, altered, or no checkpoint of natadv.
    """
    content, digest = read_sealed(path, FORMAT, "checkpoint of natadv")
    with fits_description(path, "checkpoint"):
        model = create_classifier(
            content["model_name"],
            tuple(content["labels"]),
            (content["input_size"][0], content["input_size"][1]),
            **content["model_kwargs"],
        )
        model.load_state_dict(content["weights"])
        return LoadedClassifier(
            model=model.eval(),
            labels=model.labels,
            input_size=model.input_size,
            model_name=model.model_name,
            **trained_fields(content, digest),
        )
