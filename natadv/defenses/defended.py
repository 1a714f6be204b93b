"""Defended: a classifier behind a preprocessing defence, as one model for whoever attacks or deploys it."""

from typing import Protocol

from torch import Generator, Tensor, nn


class Defense(Protocol):
    """A preprocessing defence, an `nn.Module`.

    Attributes:
        randomised: whether two passes differ; then an attack must average over passes (EoT).
        differentiable: whether its gradient is its own; if not, an attack must go round it (BPDA).
    """

    randomised: bool
    differentiable: bool

    def __call__(self, batch: Tensor, noise: Generator, /) -> Tensor:
        """Map pictures, (n, 3, h, w), to pictures, drawing from a generator on the CPU."""
        ...


class Defended(nn.Module):
    """A defence before a classifier; each pass draws on where the last one stopped.

    Attributes:
        defense: the defence.
        classifier: maps pictures to logits.
        chance: what the defence draws from; `reseed` starts it anew.
    """

    def __init__(self, defense: nn.Module, classifier: nn.Module, *, seed: int = 0) -> None:
        super().__init__()
        self.defense = defense
        self.classifier = classifier
        self.chance = Generator()
        self.reseed(seed)
        self.eval()

    @property
    def randomised(self) -> bool:
        """Whether two passes differ."""
        return bool(self.defense.randomised)

    @property
    def differentiable(self) -> bool:
        """Whether gradients through the defence are its own."""
        return bool(self.defense.differentiable)

    def reseed(self, seed: int) -> None:
        """Begin the chance of all further passes anew."""
        self.chance.manual_seed(seed)

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float (n, 3, h, w), RGB in [0, 1], to logits, (n, classes)."""
        return self.classifier(self.defense(batch, self.chance))
