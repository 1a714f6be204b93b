"""Adversarial training with pixels: shown pictures are changed by projected gradient descent (Madry et al. 2018)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class PixelAdversary:
    """Changes a random part of every batch within an l_inf budget, so that the loss rises.

    Attributes:
        epsilon: the budget, in 0..1.
        steps: of sign ascent, from a random point of the budget.
        share: of the pictures that are attacked, 0..1; the paper's is 1.
        step_size: of a step; by default 2.5 epsilon / steps, which reaches every point of the budget (Appendix B).
    """

    epsilon: float
    steps: int = 10
    share: float = 1.0
    step_size: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < 1 or self.steps < 1 or not 0 < self.share <= 1:
            raise ValueError(f"expected epsilon in 0..1, steps >= 1 and a share in 0..1, got {self}")

    def __call__(self, model: nn.Module, batch: Tensor, targets: Tensor, chance: torch.Generator) -> Tensor:
        """Return the batch, (n, 3, h, w), some of whose pictures are attacked; the model's mode is left as it was.

        Args:
            model: maps a batch to logits; attacked as it is in evaluation.
            batch: pictures, RGB in [0, 1].
            targets: true classes, (n,).
            chance: on the CPU; which pictures, and where each begins.
        """
        chosen = (torch.rand(len(batch), generator=chance) < self.share).nonzero()[:, 0].to(batch.device)
        if not len(chosen):
            return batch
        mode = model.training
        model.eval()
        worst = self._worst(model, batch[chosen], targets[chosen], chance)
        model.train(mode)
        return batch.index_copy(0, chosen, worst)

    def _worst(self, model: nn.Module, images: Tensor, labels: Tensor, chance: torch.Generator) -> Tensor:
        step = self.step_size or 2.5 * self.epsilon / self.steps
        low, high = (images - self.epsilon).clamp(min=0), (images + self.epsilon).clamp(max=1)
        start = torch.rand(images.shape, generator=chance).to(images)
        found = low + (high - low) * start
        for _ in range(self.steps):
            found.requires_grad_()
            loss = functional.cross_entropy(model(found), labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, found)
            found = torch.minimum(torch.maximum(found.detach() + step * gradient.sign(), low), high)
        return found
