"""Write a choice of a dataset as a labelled image folder, as capture sessions take."""

import json
import re
from pathlib import Path

import numpy as np

from natadv.data.folder import SOURCE
from natadv.data.load import load_dataset
from natadv.data.origins import write_origins
from natadv.data.select import choose
from natadv.durable import new_folder
from natadv.errors import ConfigError
from natadv.images import write_image


def export_images(
    data: str,
    out: Path,
    *,
    split: str = "test",
    per_class: int | None = None,
    count: int | None = None,
    part: tuple[int, int] = (1, 1),
    seed: int = 0,
    root: Path = Path("data"),
) -> int:
    """Write images as `out`/LABEL/NNNNN.png, numbered as in the dataset, and return how many.

    Args:
        data: a dataset's name or a folder.
        out: new folder; it appears when all is written.
        split: "train" or "test".
        per_class: so many of each class; None takes all.
        count: so many in all, drawn from those, classes taking turns; None takes all.
        part: (i, n), the i-th of n disjoint parts.
        seed: of the choice.
        root: where named datasets lie unpacked.

    Raises:
        ConfigError: if the folder exists, or there is no such dataset or split.
        DataError: if a class has too few images, or one cannot be read or written.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    dataset = load_dataset(data, split, root=root)
    chosen = choose(dataset, per_class=per_class, seed=seed, part=part)
    if count is not None:
        if count > len(chosen):
            raise ConfigError(f"--count {count}: there are only {len(chosen)} images to choose from")
        chosen = _in_turns(chosen, dataset.targets[chosen], count, seed)
    origins = {}
    with new_folder(out) as folder:
        for index in chosen:
            label = folder / dataset.labels[dataset.targets[index]]
            label.mkdir(exist_ok=True)
            write_image(label / f"{index:05d}.png", dataset.read(int(index)))
            origins[f"{label.name}/{index:05d}.png"] = dataset.origins[index]
        write_origins(folder, origins)
        source = {"data": data, "split": split, "seed": seed, "part": list(part), "count": len(chosen)}
        (folder / SOURCE).write_text(json.dumps(source) + "\n", encoding="utf-8")
    return len(chosen)


def parse_part(text: str) -> tuple[int, int]:
    """Read "i/n".

    Raises:
        ConfigError: if it is not two whole numbers with 1 <= i <= n.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"--part {text}: expected i/n with 1 <= i <= n, as 1/2")
    return int(match[1]), int(match[2])


def _in_turns(chosen: np.ndarray, targets: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Take `count` of `chosen`, one of each class before a second of any; which classes come first is drawn."""
    rng = np.random.default_rng([seed, len(targets)])
    shuffled = rng.permutation(len(chosen))
    turn = np.zeros(len(chosen), np.int64)
    seen: dict[int, int] = {}
    for index in shuffled:
        turn[index] = seen.get(int(targets[index]), 0)
        seen[int(targets[index])] = int(turn[index]) + 1
    order = shuffled[np.argsort(turn[shuffled], kind="stable")]
    return np.sort(chosen[order[:count]])
