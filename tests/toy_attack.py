"""A generator and a classifier whose best attack is known in closed form.

The generator adds sum_k z_k * pattern_k, pattern k being 0.1 in all channels of row k. The classifier's two logits are
0 and bias + sum_k slope_k * (10 * mean of row k), so entry k of a code is worth slope_k, a step along the sign of the
gradient moves each by the step size towards sign(slope_k), and logit 1 rises by step size * sum |slope| a step.
"""

import torch
from torch import nn

SLOPE = (1.0, -2.0, 0.5, 0.25)


class Stripes(nn.Module):
    """Adds a tenth of code entry k to row k."""

    latent_dim = len(SLOPE)

    def forward(self, images, z):
        return images + 0.1 * z[:, None, :, None]


class Weighing(nn.Module):
    """Logit 1 is bias + slope . (10 * row means), logit 0 is 0; counts the rows that it has seen."""

    def __init__(self, bias, slope=SLOPE):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float64))
        self.slope = nn.Parameter(torch.tensor(slope, dtype=torch.float64))
        self.rows = 0
        self.eval()

    def forward(self, batch):
        self.rows += len(batch)
        one = self.bias + 10 * batch.mean((1, 3)) @ self.slope
        return torch.stack([torch.zeros_like(one), one], 1)


def grey(count, level=0.5):
    """Return grey images, float64 (count, 3, 4, 4)."""
    return torch.full((count, 3, len(SLOPE), 4), level, dtype=torch.float64)


def bias_for(lead, level=0.5):
    """Return the bias at which logit 1 of a clean grey image is `lead`."""
    return lead - 10 * level * sum(SLOPE)


def small_net(seed):
    """Return a smooth classifier of 4 classes and a generator with codes of 5, both random, float64, in eval mode."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, 4)).double().eval()
    return model, Veil().double().eval()


class Veil(nn.Module):
    """A random smooth generator: x + tanh(z A) / 2."""

    latent_dim = 5

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(5, 3 * 36)

    def forward(self, images, z):
        return images + torch.tanh(self.map(z)).view(-1, 3, 6, 6) / 2
