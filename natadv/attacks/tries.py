"""Tries: an attack's (image, restart) pairs, worked on a full batch at a time.

Images finish at different times. A row that a finished image leaves goes to the next pair that still waits, first
restarts before second ones, so that the batch stays full and no finished image costs another pass. An image has one
try in work at first, and one more than have failed later: most fall to their first restarts, and tries beside those
would be wasted, while for the stubborn ones the number doubles from round to round.
"""

from collections.abc import Iterable

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
        self._restarts, self._next = restarts, np.zeros(images, np.int64)
        self.image = self.restart = self.step = np.empty(0, np.int64)
        self.z = self.velocity = starts.new_empty(0, starts.shape[2])

    @property
    def decided(self) -> int:
        """Return how many images are fooled or have no restart left."""
        return int((self._left == 0).sum())

    def refill(self) -> bool:
        """Give free rows to waiting pairs; tell whether any row is in work."""
        image, restart = self._fresh(self._rows - len(self.image))
        if len(image):
            z = self._starts[torch.from_numpy(image), torch.from_numpy(restart)]
            self.image, self.restart = np.append(self.image, image), np.append(self.restart, restart)
            self.step = np.append(self.step, np.zeros_like(image))
            self.z, self.velocity = torch.cat([self.z, z]), torch.cat([self.velocity, torch.zeros_like(z)])
        return len(self.image) > 0

    def _fresh(self, free: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return up to so many pairs that may begin."""
        images, restarts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        flying = np.bincount(self.image, minlength=len(self._left))
        while free:
            failed = self._restarts - self._left
            ready = np.flatnonzero((self._left > 0) & (self._next < self._restarts) & (flying < 1 + failed))
            chosen = ready[np.argsort(self._next[ready], kind="stable")][:free]
            if not len(chosen):
                break
            images.append(chosen)
            restarts.append(self._next[chosen])
            self._next[chosen] += 1
            flying[chosen] += 1
            free -= len(chosen)
        return np.concatenate(images), np.concatenate(restarts)

    def end(self, spent: NDArray[np.bool_], fooled: Iterable[int]) -> None:
        """Let go of rows that are spent, (r,), and of all rows of images that are fooled."""
        np.subtract.at(self._left, self.image[spent], 1)
        self._left[list(fooled)] = 0
        keep = np.flatnonzero(~spent & (self._left[self.image] > 0))
        if len(keep) < len(self.image):
            rows = torch.from_numpy(keep).to(self.z.device)
            self.image, self.restart, self.step = self.image[keep], self.restart[keep], self.step[keep]
            self.z, self.velocity = self.z[rows], self.velocity[rows]
