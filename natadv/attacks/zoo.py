"""ZOO: coordinate-wise descent on differences of answers, without gradients (Chen et al. 2017, Algorithm 2).

A coordinate's slope is read from two queries, one on either side (Eq. 6), and ADAM steps along it, 128 coordinates at
a time. On large images the coordinates are those of a small one that is enlarged and added ("attack-space dimension
reduction").

RAIN's evaluation (Sec. IV-A) bounds ZOO by 8/255 in l_inf and by 10,240 queries, where the paper makes the l2 change
small. So here the bound holds at every step, the l2 term of the objective is left out, because all images within a
bound are equally good, and the first image that fools in eight bits ends the search.

Ours, because ART 1.20.1's ZooAttack adds its whole change again at every step and clips it to [0, 1] as if it were the
image, so that values only ever rise: it does not fool a linear model that a darker image would. To work on small
coordinates, it shrinks and enlarges the image itself, at twelve seconds a step for one of 64x64 px.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from natadv.attacks.counted import Counted
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import MARGIN, Model, lead, rounded

_MEAN_DECAY, _SQUARE_DECAY, _TINY = 0.9, 0.999, 1e-8
_PATH = 2.5


def zoo(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 8 / 255,
    queries: int = 10_240,
    side_px: int = 32,
    coordinates: int = 128,
    step_size: float | None = None,
    difference: float = 1e-4,
    seed: int = 0,
    batch_size: int = 32,
) -> Outcome:
    """Lower the lead of the true class, some coordinates at a time, until an image fools or its queries are spent.

    Every coordinate is taken once, in an order by chance, before any is taken again. Images are attacked one after
    another, each as if it were alone. A randomised model's answers differ by more than `difference` makes them, so that
    the slopes read from it are mostly chance.

    Args:
        model: what is to be fooled, with logits, in eval mode.
        images: clean images, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        epsilon: l_inf bound.
        queries: forward passes that an image may take, at least 3; two looks, at the clean image and at the found one,
            come on top.
        side_px: the coordinates are the values of an image of at most this height and width.
        coordinates: how many of them change in a step of twice as many queries, and one to see whether it fools.
        step_size: of ADAM; the first step of every coordinate is of this length. By default so long that the steps
            which the queries allow a coordinate add up to 2.5 times `epsilon`, and `epsilon` at most: in 10,240 queries
            each of 3,072 coordinates is met once or twice, and the authors' 0.01 would not reach the bound.
        difference: by which a value is moved either way to read a slope (h in Eq. 6).
        seed: of the order of coordinates.
        batch_size: images that the model is shown at once.

    Raises:
        ValueError: if a bound, a number or a length is not positive, and as `keep_what_fools`.
    """
    if step_size is None:
        sides = [min(side, side_px) for side in images.shape[-2:]]
        step_size = _step_size(epsilon, queries, coordinates, 3 * max(1, sides[0] * sides[1]))
    if queries < 3 or min(side_px, coordinates) < 1 or min(step_size, difference) <= 0:
        raise ValueError(
            f"expected 3 queries or more and a positive side, number of coordinates, step and difference, got "
            f"{queries}, {side_px}, {coordinates}, {step_size} and {difference}"
        )

    @torch.no_grad()
    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        found = clean.clone()
        for row, image in enumerate(clean):

            def leads(tries: Tensor, row: int = row) -> Tensor:
                parts = []
                for part in tries.split(batch_size):
                    rows = torch.full((len(part),), row, device=clean.device)
                    parts.append(lead(calls.at(rows)(part), classes[rows]))
                return torch.cat(parts)

            search = _Search(image, leads, epsilon, side_px, step_size, difference)
            chance = torch.Generator().manual_seed(seed)
            left = queries
            blocks = _blocks(search.shift.numel(), coordinates, chance)
            while left >= 3:
                block = next(blocks)[: (left - 1) // 2].to(clean.device)
                found[row] = search.step(block)
                left -= 2 * len(block) + 1
                if leads(rounded(found[row])[None]).item() > MARGIN:
                    break
        return found

    return keep_what_fools(craft, model, images, labels, epsilon=epsilon, seed=seed, batch_size=batch_size)


def _step_size(epsilon: float, queries: int, coordinates: int, of: int) -> float:
    """Return the default step: as `zoo` says, for `queries` that move `coordinates` a time `of` as many."""
    together = min(max(1, coordinates), of)
    visits = queries / (2 * together + 1) * together / of
    return epsilon * _PATH / max(visits, _PATH)


class _Search:
    """The change to one image, in coordinates, and ADAM's means of each coordinate's slopes."""

    def __init__(
        self,
        image: Tensor,
        leads: Callable[[Tensor], Tensor],
        epsilon: float,
        side_px: int,
        step_size: float,
        difference: float,
    ) -> None:
        self._image, self._leads, self._epsilon = image, leads, epsilon
        self._step_size, self._difference = step_size, difference
        self._size = (min(image.shape[1], side_px), min(image.shape[2], side_px))
        self.shift = image.new_zeros(3 * self._size[0] * self._size[1])
        self._mean, self._square, self._age = (torch.zeros_like(self.shift) for _ in range(3))

    def step(self, block: Tensor) -> Tensor:
        """Move the coordinates `block`, int64 (k,), once, for 2k queries; return the image that results, (3, h, w)."""
        rows = torch.arange(len(block), device=block.device)
        tries = self.shift.repeat(2, len(block), 1)
        tries[0, rows, block] += self._difference
        tries[1, rows, block] -= self._difference
        above, below = self._leads(self._shown(tries.flatten(0, 1))).view(2, -1)
        slope = (above - below) / (2 * self._difference)

        self._age[block] += 1
        self._mean[block] += (1 - _MEAN_DECAY) * (slope - self._mean[block])
        self._square[block] += (1 - _SQUARE_DECAY) * (slope**2 - self._square[block])
        mean = self._mean[block] / (1 - _MEAN_DECAY ** self._age[block])
        square = self._square[block] / (1 - _SQUARE_DECAY ** self._age[block])
        moved = self.shift[block] + self._step_size * mean / (square.sqrt() + _TINY)
        self.shift[block] = moved.clamp(-self._epsilon, self._epsilon)
        return self._shown(self.shift[None])[0]

    def _shown(self, shifts: Tensor) -> Tensor:
        """Return the image under each of `shifts`, (k, coordinates); enlarging keeps their bound."""
        small = shifts.view(len(shifts), 3, *self._size)
        height, width = self._image.shape[1:]
        large = small if self._size == (height, width) else interpolate(small, (height, width), mode="bilinear")
        return (self._image + large).clamp(0, 1)


def _blocks(coordinates: int, count: int, chance: torch.Generator) -> Iterator[Tensor]:
    """Yield blocks of `count` coordinates, or of those that are left in a round, each once a round, forever."""
    while True:
        yield from torch.randperm(coordinates, generator=chance).split(count)
