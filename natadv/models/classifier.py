"""Image classifiers: any timm backbone, with its normalisation inside."""

import difflib
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from natadv.errors import ConfigError
from natadv.models import denoising, slim, stl10_cnn  # noqa: F401  # they register our models with timm
from natadv.models.covering_conv import with_covering_heads

DEFAULT_MODEL = "natadv_slim"


class Classifier(nn.Module):
    """A backbone behind its own normalisation.

    Attributes:
        model_name: timm's name of the backbone.
        model_kwargs: further arguments that it was built with.
        labels: one label per logit.
        input_size: (height, width) in pixels that it is meant for.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        *,
        model_name: str,
        model_kwargs: Mapping[str, Any],
        labels: tuple[str, ...],
        input_size: tuple[int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.model_name = model_name
        self.model_kwargs = dict(model_kwargs)
        self.labels = labels
        self.input_size = input_size
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float (n, 3, h, w), RGB in [0, 1], to logits, (n, classes)."""
        return self.backbone((batch - self.mean) / self.std)


def create_classifier(
    model_name: str,
    labels: tuple[str, ...],
    input_size: tuple[int, int],
    *,
    pretrained: bool = False,
    **model_kwargs: Any,
) -> Classifier:
    """Build a classifier with fresh weights from torch's random generator, or pretrained ones.

    Args:
        model_name: a timm model, as `resnet18` or `resnet18.a1_in1k`, or our `natadv_slim`.
        labels: one label per class, in the order of the logits; at least two, no two alike.
        input_size: (height, width) in pixels.
        pretrained: take timm's pretrained weights; timm DOWNLOADS them where its cache lacks them.
        model_kwargs: passed on to timm's constructor, as `drop_path_rate`.

    Raises:
        ConfigError: if timm knows no such model, has no weights for it, or cannot build it so.
        ValueError: if labels are fewer than two or double, or the size is not positive.
    """
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise ValueError(f"expected two or more different labels, got {labels}")
    if min(input_size) < 1:
        raise ValueError(f"expected a positive input size, got {input_size}")
    if not timm.is_model(model_name):
        raise ConfigError(f"model {model_name!r}: timm has no such model{_nearest(model_name)}")
    config = timm.get_pretrained_cfg(model_name)
    size_kwargs = {"img_size": tuple(input_size)} if config and config.fixed_input_size else {}
    try:
        backbone = timm.create_model(
            model_name, pretrained=pretrained, num_classes=len(labels), **size_kwargs, **model_kwargs
        )
    except (RuntimeError, TypeError, ValueError, AssertionError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"model {model_name!r} at {input_size[1]}x{input_size[0]} px: {reason}") from error
    return Classifier(
        with_covering_heads(backbone),
        model_name=model_name,
        model_kwargs=model_kwargs,
        labels=tuple(labels),
        input_size=(int(input_size[0]), int(input_size[1])),
        mean=backbone.pretrained_cfg["mean"],
        std=backbone.pretrained_cfg["std"],
    )


def _nearest(model_name: str) -> str:
    close = difflib.get_close_matches(model_name, timm.list_models(), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else "; `timm.list_models()` names them"
