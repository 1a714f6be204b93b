"""Adversarial training with raindrops (Liu et al. 2023, Sec. 4.4): half of each epoch is attacked, half stays clean.

Unlike the attack itself, training wants the worst drops found even where they do not fool: so of all codes tried, the
image with the highest loss is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.generator import Generator


@dataclass(frozen=True)
class Adversary:
    """Puts the worst drops it finds before a random part of every batch.

    Attributes:
        generators: one is drawn for each batch.
        share: of the pictures that are attacked, 0..1; the paper's is 0.5.
        restarts: codes tried for each picture.
        steps: sign-ascent steps on each; 0 is the black box, which only samples.
        step_size: of a step, in standard deviations of the prior.
    """

    generators: Sequence[Generator]
    share: float = 0.5
    restarts: int = 1
    steps: int = 3
    step_size: float = 0.25

    def __post_init__(self) -> None:
        if not self.generators or not 0 < self.share <= 1 or self.restarts < 1 or self.steps < 0:
            raise ValueError(f"expected generators, a share in 0..1, restarts >= 1 and steps >= 0, got {self}")

    def __call__(self, model: nn.Module, batch: Tensor, targets: Tensor, chance: torch.Generator) -> Tensor:
        """Return the batch, (n, 3, h, w), some of whose pictures are attacked; the model's mode is left as it was.

        Args:
            model: maps a batch to logits; attacked as it is in evaluation.
            batch: pictures, RGB in [0, 1].
            targets: true classes, (n,).
            chance: on the CPU; which generator, which pictures, which codes.
        """
        which = int(torch.randint(len(self.generators), (), generator=chance))
        chosen = (torch.rand(len(batch), generator=chance) < self.share).nonzero()[:, 0].to(batch.device)
        if not len(chosen):
            return batch
        mode = model.training
        model.eval()
        worst = self._worst(model, self.generators[which], batch[chosen], targets[chosen], chance)
        model.train(mode)
        return batch.index_copy(0, chosen, worst)

    def _worst(
        self,
        model: Callable[[Tensor], Tensor],
        generator: Generator,
        images: Tensor,
        labels: Tensor,
        chance: torch.Generator,
    ) -> Tensor:
        worst, worst_loss = images, torch.full_like(images[:, 0, 0, 0], -torch.inf)
        for _ in range(self.restarts):
            z = torch.randn(len(images), generator.latent_dim, generator=chance).to(images.device)
            for step in range(self.steps + 1):
                last = step == self.steps
                with torch.set_grad_enabled(not last):
                    z.requires_grad_(not last)
                    wet = generator(images, z).clamp(0, 1)
                    loss = functional.cross_entropy(model(wet), labels, reduction="none")
                worse = loss.detach() > worst_loss
                worst = torch.where(worse[:, None, None, None], wet.detach(), worst)
                worst_loss = torch.where(worse, loss.detach(), worst_loss)
                if not last:
                    (gradient,) = torch.autograd.grad(loss.sum(), z)
                    z = z.detach() + self.step_size * gradient.sign()
        return worst
