"""A classifier as if it had been read from a checkpoint."""

from torch import nn

from natadv.training.checkpoint import LoadedClassifier


def tiny_checkpoint(model: nn.Module, labels: tuple[str, ...], size: tuple[int, int]) -> LoadedClassifier:
    """Return a model with all that a checkpoint says of one; its digest is sixty-four a's."""
    return LoadedClassifier(
        model=model,
        labels=labels,
        input_size=size,
        model_name="tiny",
        metrics={},
        recipe={},
        provenance={},
        digest="a" * 64,
        training=None,
    )
