"""DropMap: from a latent code to the water on a picture, by way of drops.

z is a map of 4 x 4 cells, 4 numbers each (64 in all). Every cell has two drops: the first reads its own cell's numbers
directly, as presence, shift right, shift down and size, the second and all further shaping are learnt from the cells
around. A plain decoder of z either ignored it or made veils; this one cannot make anything but drops.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.quasi_gan.blocks import positions

LATENT_DIM = 64
CELLS, PER_CELL = 4, 4
_DROPS = 2
_SHAPE = 6  # presence, x, y, size, stretch, shear
_RADIUS = 0.17  # of a typical drop, in half widths of the picture: 5 px of 64
_NECK = 0.12  # how far drops that touch flow into each other, in the unit of the field


class DropMap(nn.Module):
    """The field u of every picture's drops: a paraboloid above 0 inside each, flowing into its neighbours.

    Args:
        width: channels of the hidden layer over the cells.
    """

    cells: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(PER_CELL, width, 3, padding=1)
        self.shape = nn.Conv2d(width, _DROPS * _SHAPE, 3, padding=1)
        nn.init.normal_(self.shape.weight, std=0.02)
        nn.init.zeros_(self.shape.bias)
        with torch.no_grad():
            self.shape.bias[_SHAPE] = -1.5  # second drops are rarer
        self.register_buffer("cells", positions(CELLS, CELLS, torch.zeros(())).permute(2, 0, 1), persistent=False)

    def forward(self, z: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Return u, (n, 1, side, side), and features of the cells, (n, width, 4, 4), of codes, (n, 64)."""
        code = z.view(-1, PER_CELL, CELLS, CELLS)
        hidden = functional.leaky_relu(self.hidden(code), 0.2)
        shape = self.shape(hidden).view(-1, _DROPS, _SHAPE, CELLS, CELLS)
        direct = functional.pad(code[:, None], (0, 0, 0, 0, 0, _SHAPE - PER_CELL, 0, _DROPS - 1))
        present, x, y, size, stretch, shear = (shape + direct).unbind(2)
        radius = _RADIUS * torch.exp(0.5 * torch.tanh(size))
        # A drop's middle stays within a cell's width of its cell.
        middle_x = self.cells[0] + torch.tanh(0.7 * x) * (2 / CELLS * 0.75)
        middle_y = self.cells[1] + torch.tanh(0.7 * y) * (2 / CELLS * 0.75)
        height = 1.3 * torch.sigmoid(2 * present) - 0.3
        drops = [middle_x, middle_y, radius, height, 0.5 * torch.tanh(stretch), 0.4 * torch.tanh(shear)]
        return self._field([part.flatten(1)[:, :, None, None] for part in drops], side), hidden

    @staticmethod
    def _field(drops: list[Tensor], side: int) -> Tensor:
        middle_x, middle_y, radius, height, stretch, shear = drops
        x, y = positions(side, side, middle_x).unbind(-1)
        across, down = x - middle_x, y - middle_y
        bent = across.square() * stretch.exp() + down.square() * (-stretch).exp() + 2 * shear * across * down
        each = height - bent / radius.square()
        return _NECK * torch.logsumexp(each / _NECK, 1, keepdim=True)
