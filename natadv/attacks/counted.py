"""Counted: a model that keeps, for each image under attack, how often it was asked and differentiated."""

from collections.abc import Callable

import torch
from torch import Tensor

from natadv.attacks.success import Model


class Counted:
    """A model with a count of forward and backward passes for each of n images.

    Attributes:
        queries: int64, (n,); forward passes that each image took.
        gradients: int64, (n,); backward passes through the model to it. An attack that takes several gradients from
            one forward pass, as DeepFool does, is charged for each.
    """

    def __init__(self, model: Model, images: int, device: torch.device) -> None:
        self._model = model
        self.queries = torch.zeros(images, dtype=torch.int64, device=device)
        self.gradients = torch.zeros_like(self.queries)
        self._rows = torch.arange(images, device=device)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return logits of a batch that holds each of the n images once, in order.

        Where n is 1, a batch of any length holds tries at that image.

        Raises:
            ValueError: if the batch is of another length; `at` says whose images such a one holds.
        """
        rows = self._rows.expand(len(batch)) if len(self._rows) == 1 else self._rows
        return self._run(batch, rows)

    def at(self, rows: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the model for batches whose k-th image is a try at image `rows[k]`; numbers may repeat."""
        return lambda batch: self._run(batch, rows)

    def _run(self, batch: Tensor, rows: Tensor) -> Tensor:
        if len(batch) != len(rows):
            raise ValueError(f"expected a batch of {len(rows)} images, got {len(batch)}")
        passes = torch.ones_like(rows)
        self.queries.index_add_(0, rows, passes)
        if torch.is_grad_enabled() and batch.requires_grad:
            batch = batch.view_as(batch)  # a hook on the caller's own tensor would stay with it

            def count(_: Tensor) -> None:
                self.gradients.index_add_(0, rows, passes)

            batch.register_hook(count)
        return self._model(batch)
