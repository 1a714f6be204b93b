"""Rain that nobody planted, before a model's test images: rendered, photographed, and filmed at a bench.

It is asked of every backdoored model, planted or bought: a wet windscreen that sets a backdoor off needs no attacker.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from natadv.backdoors.rain import photographed_rain, rendered_rain
from natadv.campaign.session_frames import session_frames
from natadv.data.pairs import Pair, load_pairs
from natadv.durable import replace_file
from natadv.errors import ConfigError, DataError
from natadv.training.pictures import Pictures
from rigs.archive import open_archive


@dataclass(frozen=True)
class Rain:
    """Natural rain of one kind; no image is of the target's class.

    Attributes:
        name: `rendered PRESET`; `photographed`, or `photographed, clean side restored` where a network made the clean
            side of the pairs, which is no ground truth; `filmed, wet`, or `filmed, dry` to compare it with.
        pictures: with their true classes.
    """

    name: str
    pictures: Pictures


def natural_rain(
    test: Pictures,
    labels: Sequence[str],
    target: int,
    *,
    pairs: Path | None = None,
    session: Path | None = None,
    seed: int = 0,
) -> Iterator[Rain]:
    """Return each kind of rain that there is material for, made one by one; pairs and session are looked at at once.

    Args:
        test: clean test images.
        labels: of the classes.
        target: class that a backdoor leads to.
        pairs: folder of real clean and wet photographs; None leaves them out.
        session: folder of a recorded session; None leaves it out.
        seed: of all chance.

    Raises:
        ConfigError: if the session was not recorded for the test.
        DataError: if pairs or session cannot be read, or the session has labels that there are not.
    """
    found = load_pairs(pairs) if pairs is not None else ()
    if session is not None:
        _check_session(session, labels, target)
    return _made(test, labels, target, found, session, seed)


def _made(
    test: Pictures, labels: Sequence[str], target: int, pairs: Sequence[Pair], session: Path | None, seed: int
) -> Iterator[Rain]:
    for wetness, pictures in rendered_rain(test, target, seed=seed):
        yield Rain(f"rendered {wetness}", pictures)
    for name, kept in (
        ("photographed", [pair for pair in pairs if pair.true]),
        ("photographed, clean side restored", [pair for pair in pairs if not pair.true]),
    ):
        if kept:
            yield Rain(name, photographed_rain(test, target, kept, seed=seed))
    if session is not None:
        size = (test.images.shape[1], test.images.shape[2])
        yield Rain("filmed, wet", session_frames(session, labels, size, kind="wet").others(target))
        yield Rain("filmed, dry", session_frames(session, labels, size, kind="dry").others(target))


def _check_session(session: Path, labels: Sequence[str], target: int) -> None:
    archive = open_archive(session)
    if (purpose := archive.settings.purpose) != "test":
        raise ConfigError(
            f"{session}: a {purpose} session may show what the model learnt; record one with `natadv capture run "
            "--purpose test`"
        )
    shown = {item.label for item in archive.complete_items()}
    if unknown := sorted(f"{label}" for label in shown - set(labels)):
        raise DataError(f"{session}: shows {unknown[0]!r}, which is none of the model's {len(labels)} labels")
    if not shown:
        raise DataError(f"{session}: has no complete clip yet; go on recording it")
    if shown == {labels[target]}:
        raise DataError(f"{session}: shows nothing but the target's class; record other classes too")


def kept_rain(path: Path, made: Iterator[Rain]) -> list[Rain]:
    """Return what a file keeps of rain, or make it and write the file.

    Raises:
        DataError: if the file is damaged.
        ResourceError: if the disk is full.
    """
    if not path.exists():
        written = io.BytesIO()
        arrays: dict[str, np.ndarray] = {}
        for rain in made:
            arrays[f"{rain.name}|images"] = rain.pictures.images
            arrays[f"{rain.name}|targets"] = rain.pictures.targets
            if rain.pictures.kin is not None:
                arrays[f"{rain.name}|kin"] = np.array(rain.pictures.kin)
        np.savez(written, allow_pickle=False, **arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, written.getvalue())
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            names = [name.removesuffix("|images") for name in kept.files if name.endswith("|images")]
            return [Rain(name, _kept_pictures(kept, name)) for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged; delete it, it is made again") from error


def _kept_pictures(kept: Mapping[str, np.ndarray], name: str) -> Pictures:
    """Return the pictures of one kind; a file of an older natadv does not say what they are of."""
    kin = tuple(kept[f"{name}|kin"].tolist()) if f"{name}|kin" in kept else None
    return Pictures(kept[f"{name}|images"], kept[f"{name}|targets"], kin)
