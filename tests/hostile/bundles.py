"""One seed, one hostile or torn bundle: what `tests.hostile` knows of damage and malice, drawn by lot."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile import goldens, manifests, models, on_disk, torn
from tests.hostile.bases import base, sealed

# What a change comes from, how often, and whether its maker mends the digests: "perhaps" is by lot.
_KINDS: tuple[tuple[Sequence[Any], int, str], ...] = (
    (torn.CHANGES, 6, "perhaps"),
    (manifests.CHANGES, 5, "no"),
    (goldens.CHANGES, 5, "always"),
    (models.CHANGES, 12, "always"),
    (on_disk.SPOILS, 3, "no"),
)


def write_hostile(folder: Path, seed: int) -> str:
    """Write the bundle of a seed as a new folder and return what was done to it, as "rain: goldens.bombs"."""
    rng = Random(seed)
    kind = rng.choice(("plain", "rain", "rain"))
    files = dict(base(kind))
    changes, _, seals = rng.choices(_KINDS, [weight for _, weight, _ in _KINDS])[0]
    change = rng.choice(changes)
    done = f"{kind}: {_named(change)}"
    if changes is not on_disk.SPOILS:
        files = change(rng, files)
        if seals == "always" or (seals == "perhaps" and rng.random() < 0.6):
            files = sealed(files)
            done += ", sealed"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if changes is on_disk.SPOILS:
        change(rng, folder)
    return done


def _named(change: Any) -> str:
    return f"{change.__module__.rpartition('.')[2]}.{change.__name__}"
