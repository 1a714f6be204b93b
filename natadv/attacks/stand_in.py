"""Stand-ins: what an adaptive attack differentiates in place of a defended model.

Expectation over transformation for randomised defences (Athalye et al. 2018b; Du et al. 2021, Eq. 6), and the backward
pass differentiable approximation for those without a useful gradient (BPDA: Athalye et al. 2018a, Sec. 4.1.2). A
stand-in belongs to its model: what it costs is charged as passes of that model, which also judges the result.
"""

import torch
from torch import Tensor, nn

from natadv.defenses.defended import Defended


class StandIn(nn.Module):
    """A differentiable model in place of another.

    Attributes:
        model: whose place it takes.
        passes: of that model that one of its own takes.
        randomised: whether that model is: a mean of some passes is still by chance, and says nothing of the next one.
    """

    def __init__(self, model: nn.Module, passes: int) -> None:
        super().__init__()
        self.model = model
        self.passes = passes
        self.randomised = bool(getattr(model, "randomised", False))
        self.eval()


class Expectation(StandIn):
    """The mean of a randomised model's logits over several passes; so its gradient is the mean of theirs."""

    def __init__(self, model: nn.Module, samples: int) -> None:
        """Take a model and how many passes to average.

        Raises:
            ValueError: if there are no samples.
        """
        if samples < 1:
            raise ValueError(f"expected one sample or more, got {samples}")
        super().__init__(model, samples * getattr(model, "passes", 1))
        self.samples = samples

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, (n, 3, h, w), to mean logits, (n, classes)."""
        # All passes of an image in one batch: each has noise of its own.
        logits = self.model(batch.repeat_interleave(self.samples, 0))
        return logits.unflatten(0, (len(batch), self.samples)).mean(1)


class StraightThrough(StandIn):
    """A defended model whose defence passes gradients through as if it did nothing (BPDA with the identity)."""

    def __init__(self, model: Defended) -> None:
        super().__init__(model, 1)

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, (n, 3, h, w), to the defended model's logits, (n, classes).

        Raises:
            ValueError: if the defence changes the pictures' size: the identity then has no value for each of theirs.
        """
        defended = self.model
        with torch.no_grad():
            seen = defended.defense(batch.detach(), defended.chance)
        if seen.shape != batch.shape:
            raise ValueError(
                f"{type(defended.defense).__name__} makes {tuple(seen.shape)} of {tuple(batch.shape)}, and the "
                "identity cannot stand for it; give it a gradient of its own"
            )
        return defended.classifier(batch + (seen - batch).detach())


def stands_for(stand_in: object, model: object) -> int:
    """Return how many passes of `model` one of `stand_in` takes; 0 where it is no stand-in of it."""
    if not isinstance(stand_in, StandIn):
        return 0
    inner: object = stand_in
    while isinstance(inner, StandIn):
        inner = inner.model
    return stand_in.passes if inner is model else 0
