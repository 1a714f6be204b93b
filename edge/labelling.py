"""Labelling: what a person says that a clip of evidence or a part of it shows, and pictures of that for training."""

import math
import shutil
from pathlib import Path
from typing import Final

import numpy as np

from edge.evidence import LABELLED, EvidenceClip
from edge.parts import PART, LabelledPart, check_apart, drop_parts, drop_pictures, labelling_alone, parts_of
from natadv.durable import PART_SUFFIX, exchange_folders, file_error, new_folder, sync
from natadv.errors import ConfigError
from rigs.archive import relabel
from rigs.clip import Clip
from rigs.hits import Hit, write_hits, write_provenance

_UNSURE: Final = 0.6  # a right answer below this confidence is worth training on too
_MOST_PICTURES: Final = 20


def label_clip(folder: Path, label: str, *, from_s: float | None = None, to_s: float | None = None) -> int:
    """Say what a clip shows, and write the pictures of it that training can learn from; return how many.

    These are frames that the model got wrong or was unsure of, spread over the clip. A label given before is replaced,
    with its pictures. Where the scene changes within the clip, a part of it may be labelled: then its pictures are
    written, and the clip as a whole stays without a label; a label of the whole takes the place of those of parts.

    Args:
        folder: of the clip.
        label: one of those that the model knew.
        from_s: beginning of the part, since the clip's first frame; None: the clip's.
        to_s: end of the part; None: the clip's. A frame of that very moment is no longer in the part, so that another
            one may begin with it, unless it is the clip's last.

    Raises:
        ConfigError: if the model knew no such label, the part is none, or it overlaps what has a label.
        DataError: if the clip is damaged.
        ResourceError: if the disk is full.
    """
    _check_label(EvidenceClip(folder), label)
    labelled = folder.parent / LABELLED
    with labelling_alone(labelled):
        clip = EvidenceClip(folder)
        if from_s is None and to_s is None:
            return _label_whole(clip, label, labelled)
        return _label_part(clip, label, labelled, from_s or 0.0, to_s)


def _check_label(clip: EvidenceClip, label: str) -> None:
    folder = clip.archive.folder
    if label not in clip.info.labels:
        known = ", ".join(clip.info.labels[:8]) + (", ..." if len(clip.info.labels) > 8 else "")
        raise ConfigError(f"{folder}: the model knows no label {label!r}; it knows {known}")
    if label in (".", "..") or "/" in label or "\\" in label:
        raise ConfigError(f"{folder}: label {label!r} cannot be the name of a folder of training images")


def _label_whole(clip: EvidenceClip, label: str, labelled: Path) -> int:
    """Label a clip as a whole. Killed at any moment, it has no label, or one and the pictures that belong to it."""
    hits = _hits(clip, label, 0.0, _long_s(clip))
    target = labelled / clip.name
    new = _write_aside(target, clip, hits, None)
    drop_parts(labelled, clip.name)
    if clip.label not in (None, label):
        relabel(clip.archive, "")
    _put(new, target)
    relabel(clip.archive, label)  # a label without its pictures would look done
    return len(hits)


def _label_part(clip: EvidenceClip, label: str, labelled: Path, from_s: float, to_s: float | None) -> int:
    """Label a part of a clip. Killed at any moment, the part has the label that it had, if any, or the new one."""
    long_s = _long_s(clip)
    if not 0 <= from_s < long_s or (to_s is not None and not from_s < to_s < math.inf):
        until = "its end" if to_s is None else f"{to_s:g} s"
        raise ConfigError(f"{clip.name}: from {from_s:g} s to {until} is no part of a clip of {long_s:g} s")
    part = LabelledPart(clip=clip.name, label=label, from_s=from_s, to_s=long_s if to_s is None else to_s)
    check_apart(part, parts_of(labelled, clip.name), clip.label)
    hits = _hits(clip, label, part.from_s, part.to_s)
    target = labelled / part.folder
    new = _write_aside(target, clip, hits, part)
    drop_pictures(labelled / clip.name)  # of a label of the whole that was never finished
    _put(new, target)
    return len(hits)


def _write_aside(target: Path, clip: EvidenceClip, hits: list[Hit], part: LabelledPart | None) -> Path:
    """Write pictures into a whole folder beside the one that they are meant for; return it."""
    new, old = target.with_name(f"{target.name}.new{PART_SUFFIX}"), target.with_name(f".{target.name}.old")
    for left_over in (new, old):  # of a kill; the second where folders are not exchanged in one step
        shutil.rmtree(left_over, ignore_errors=True)
    geometry, wanted = clip.archive.settings.geometry, {hit.frame for hit in hits}
    images = {
        place: geometry.rectify(image, geometry.picture_size)
        for place, image in enumerate(_recorded(clip).images())
        if place in wanted
    }
    with new_folder(new) as made:
        write_hits(made, hits, lambda hit: images[hit.frame])
        write_provenance(made, hits)
        if part is not None:
            (made / PART).write_text(part.model_dump_json())
    return new


def _put(new: Path, target: Path) -> None:
    """Give a folder of pictures the name that it is meant for; what had that name goes."""
    try:
        if target.exists():
            exchange_folders(new, target)
            shutil.rmtree(new, ignore_errors=True)
        else:
            new.rename(target)
            sync(target.parent)
    except OSError as error:
        raise file_error(target, error) from error


def _recorded(clip: EvidenceClip) -> Clip:
    return clip.archive.clip(clip.archive.settings.items[0], "wet")


def _long_s(clip: EvidenceClip) -> float:
    """Return the seconds from a clip's first frame to its last."""
    times: list[float] = _recorded(clip).table()["timestamp_s"].to_pylist()
    return times[-1] - times[0]


def _hits(clip: EvidenceClip, label: str, from_s: float, to_s: float) -> list[Hit]:
    """Return the frames of a part of a clip that are worth training on, at most so many, spread evenly."""
    rows = _recorded(clip).table().to_pylist()
    places = {row["index"]: place for place, row in enumerate(rows)}
    began_s, ended_s = rows[0]["timestamp_s"], rows[-1]["timestamp_s"]
    until_s = math.inf if to_s >= ended_s - began_s else to_s  # after the clip's last frame no part begins
    answers = [one for one in clip.answers() if one.index in places and from_s <= one.timestamp_s - began_s < until_s]
    worth = [answer for answer in answers if answer.label != label or answer.confidence < _UNSURE]
    chosen = np.unique(np.linspace(0, len(worth) - 1, min(len(worth), _MOST_PICTURES)).round().astype(int))
    item = clip.archive.settings.items[0]
    return [
        Hit(
            path=f"{label}/{places[answer.index]:04d}.png",
            label=label,
            session=clip.name,
            session_purpose="training",
            item=0,
            image=item.source,
            image_sha256=item.sha256,
            clip=item.clip_name("wet"),
            frame=places[answer.index],
            frame_index=answer.index,
            timestamp_s=answer.timestamp_s,
            drop_coverage=rows[places[answer.index]]["drop_coverage"],
            predicted=answer.label,
            confidence=answer.confidence,
            label_confidence=answer.confidence if answer.label == label else None,
            model_sha256=clip.info.model_sha256,
        )
        for answer in (worth[place] for place in chosen)
    ]
