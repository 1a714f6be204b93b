"""Tries: an attack's (image, restart) pairs, worked on a full batch at a time.

Images finish at different times. A row that a finished image leaves goes to the next pair that still waits, first
restarts before second ones, so that the batch stays full and no finished image costs another pass.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Tries:
    """The tries in work, one a row, and those that wait.

    Attributes:
        image: which image each row is a try at, (r,).
        restart: which of its restarts, (r,).
        step: checks that the row has had, (r,).
        z: the row's code, (r, d).
        velocity: its momentum, (r, d).
        decided: images that are fooled, or have no restart left.
    """

    def __init__(self, starts: Tensor, rows: int) -> None:
        """Queue all restarts of all images, none in work yet.

        Args:
            starts: first codes, (n, restarts, d).
            rows: how many tries are in work at once.
        """
        images, restarts = starts.shape[:2]
        self._starts, self._rows = starts, rows
        self._left = np.full(images, restarts)
        self._waiting = ((i, k) for k in range(restarts) for i in range(images) if self._left[i])
        self.image = self.restart = self.step = np.empty(0, np.int64)
        self.z = self.velocity = starts.new_empty(0, starts.shape[2])

    @property
    def decided(self) -> int:
        """Return how many images are fooled or have no restart left."""
        return int((self._left == 0).sum())

    def refill(self) -> bool:
        """Give free rows to waiting pairs; tell whether any row is in work."""
        fresh = list(islice(self._waiting, self._rows - len(self.image)))
        if fresh:
            image, restart = np.array(fresh, np.int64).T
            z = self._starts[torch.from_numpy(image), torch.from_numpy(restart)]
            self.image, self.restart = np.append(self.image, image), np.append(self.restart, restart)
            self.step = np.append(self.step, np.zeros_like(image))
            self.z, self.velocity = torch.cat([self.z, z]), torch.cat([self.velocity, torch.zeros_like(z)])
        return len(self.image) > 0

    def end(self, spent: NDArray[np.bool_], fooled: Iterable[int]) -> None:
        """Let go of rows that are spent, (r,), and of all rows of images that are fooled."""
        np.subtract.at(self._left, self.image[spent], 1)
        self._left[list(fooled)] = 0
        keep = np.flatnonzero(~spent & (self._left[self.image] > 0))
        if len(keep) < len(self.image):
            rows = torch.from_numpy(keep).to(self.z.device)
            self.image, self.restart, self.step = self.image[keep], self.restart[keep], self.step[keep]
            self.z, self.velocity = self.z[rows], self.velocity[rows]
