"""Labelling: what a person says that a clip of evidence or a part of it shows, and pictures of that for training."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np

from edge.evidence import LABELLED, EvidenceClip
from edge.parts import PART, LabelledPart, check_apart, drop_parts, parts_of
from natadv.durable import new_folder
from natadv.errors import ConfigError
from rigs.archive import relabel
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
        to_s: end of the part; None: the clip's.

    Raises:
        ConfigError: if the model knew no such label, the part is none, or it overlaps what has a label.
        DataError: if the clip is damaged.
        ResourceError: if the disk is full.
    """
    clip = EvidenceClip(folder)
    if label not in clip.info.labels:
        known = ", ".join(clip.info.labels[:8]) + (", ..." if len(clip.info.labels) > 8 else "")
        raise ConfigError(f"{folder}: the model knows no label {label!r}; it knows {known}")
    if label in (".", "..") or "/" in label or "\\" in label:
        raise ConfigError(f"{folder}: label {label!r} cannot be the name of a folder of training images")
    if (from_s or 0.0) < 0 or (to_s is not None and to_s <= (from_s or 0.0)):
        raise ConfigError(f"{folder}: from {from_s or 0:g} s to {to_s:g} s is no part of a clip")
    partly = from_s is not None or to_s is not None
    archive = clip.archive
    recorded = archive.clip(archive.settings.items[0], "wet")
    times = recorded.table()["timestamp_s"].to_pylist()
    begin_s, end_s = times[0] + (from_s or 0.0), times[-1] if to_s is None else times[0] + to_s
    hits = _hits(clip, label, begin_s, end_s)
    part = LabelledPart(clip=clip.name, label=label, from_s=begin_s - times[0], to_s=end_s - times[0])
    labelled = folder.parent / LABELLED
    if partly:
        check_apart(part, parts_of(labelled, clip.name), clip.label)
    target = labelled / (part.folder if partly else clip.name)
    target.parent.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    geometry, wanted = archive.settings.geometry, {hit.frame for hit in hits}
    images = {
        place: geometry.rectify(image, geometry.picture_size)
        for place, image in enumerate(recorded.images())
        if place in wanted
    }
    with new_folder(target) as made:
        write_hits(made, hits, lambda hit: images[hit.frame])
        write_provenance(made, hits)
        if partly:
            (made / PART).write_text(part.model_dump_json())
    if not partly:
        relabel(archive, label)  # a label without its pictures would look done
        drop_parts(labelled, clip.name)
    return len(hits)


def _hits(clip: EvidenceClip, label: str, begin_s: float, end_s: float) -> list[Hit]:
    """Return the frames of a part of a clip that are worth training on, at most so many, spread evenly."""
    rows = clip.archive.clip(clip.archive.settings.items[0], "wet").table().to_pylist()
    places = {row["index"]: place for place, row in enumerate(rows)}
    answers = [one for one in clip.answers() if one.index in places and begin_s <= one.timestamp_s <= end_s]
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
