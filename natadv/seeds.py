"""What a seed may be."""

from typing import Final

LARGEST_SEED: Final = 2**32 - 1
"""Torch takes 64 bits, and trainings make further seeds of one by multiplying it."""
