"""Captured: the hits of recorded sessions as a kind of a bank, and `dry`, the clean frames that go with them.

A frame through wet glass differs from a file's image by the camera too: its noise, its lens, its light. The same
camera's frames through dry glass of the same images are therefore a second clean kind, and a detector that is trained
on both learns the rain. A hit is what capture calls one, by the bank's own model.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from capture.hits import DEFINITION, control_is_right, hit_frames
from natadv.campaign.session_frames import clip_pictures
from natadv.detection.kin import Part, parted
from natadv.detection.natural import Candidate, Looked, class_targets
from natadv.detection.sources import Sources
from natadv.errors import DataError
from natadv.images import Image
from natadv.training.evaluate import answers
from rigs.archive import Archive, open_archive
from rigs.session import KINDS, Item

_PER_CLIP, _STREAM = 8, 5


@dataclass(frozen=True, slots=True)
class _Shown:
    """An image that a session showed, with its clips."""

    archive: Archive
    item: Item
    source: str
    target: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """A few frames of each kind that a camera saw of one image; none where the model gets a dry one wrong."""

    source: str
    target: int
    hits: list[Image]
    dry: list[Image]


def captured(
    sessions: Sequence[Path],
    sources: Sources,
    *,
    seed: int,
    per_clip: int = _PER_CLIP,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Looked]:
    """Return the makers of the kinds `captured` and `dry`.

    An image of the session that is one of the bank's data, pixel by pixel, is in the part that it is in there.

    Args:
        sessions: folders of sessions with controls.
        sources: the bank's.
        seed: of the order, and of the parts of images from elsewhere.
        per_clip: most frames of a clip; frames of one are kin, and the first of each clip come first.
        report: told how many clips were looked at.

    Raises:
        DataError: if one is no session, has no complete clip or no controls, a label that the model lacks, or a clip
            that is torn.
    """
    shown = [one for session in sessions for one in _shown(open_archive(session), sources)]
    own = [one for one in shown if one.source not in sources.parts]
    parts = sources.parts | parted([one.source for one in own], [sources.names[one.target] for one in own], seed)
    seen: dict[Part, list[_Seen]] = {"train": [], "test": []}
    order = np.random.default_rng([seed, _STREAM]).permutation(len(shown))
    for done, place in enumerate(order, start=1):
        one = shown[place]
        seen[parts[one.source]].append(_look(one, sources, per_clip))
        report("clips", done, len(shown))
    about = {"sessions": [session.name for session in sessions], "clips": len(shown), "per_clip": per_clip}
    hits: dict[Part, list[Candidate]] = {part: list(_turns(some, "hits")) for part, some in seen.items()}
    dry: dict[Part, list[Candidate]] = {part: list(_turns(some, "dry")) for part, some in seen.items()}
    return {
        "captured": Looked("natural", {**about, "hit": DEFINITION}, sources, hits),
        "dry": Looked("clean", {**about, "glass": "dry"}, sources, dry, clean=True),
    }


def _look(shown: _Shown, sources: Sources, per_clip: int) -> _Seen:
    size, device, model = (sources.size_px, sources.size_px), torch.device(sources.device), sources.victim.model
    dry, wet = (clip_pictures(shown.archive, shown.item, kind, size) for kind in KINDS)
    right = control_is_right(answers(model, np.stack(dry), device), shown.target)
    if not right:
        return _Seen(shown.source, shown.target, [], [])
    fooled = hit_frames(answers(model, np.stack(wet), device), shown.target, right)
    hits = [wet[at] for at in np.flatnonzero(fooled)]
    return _Seen(shown.source, shown.target, _spread(hits, per_clip), _spread(dry, per_clip))


def _spread(frames: Sequence[Image], count: int) -> list[Image]:
    places = np.linspace(0, len(frames) - 1, min(len(frames), count)).round().astype(int)
    return [frames[place] for place in places]


def _turns(seen: Sequence[_Seen], kind: str) -> Iterator[Candidate]:
    """Yield a frame of each clip, then a second of each, and so on."""
    for turn in range(max((len(getattr(one, kind)) for one in seen), default=0)):
        for one in seen:
            frames: list[Image] = getattr(one, kind)
            if turn < len(frames):
                yield Candidate(one.source, one.target, partial(_same, frames[turn]))


def _same(image: Image) -> Image:
    return image


def _shown(archive: Archive, sources: Sources) -> list[_Shown]:
    """Return what a session showed; of each the key in the bank's data, where it is one of them, else the session's."""
    items = archive.complete_items()
    if not items or "dry" not in archive.settings.kinds:
        raise DataError(f"{archive.folder}: has no clip with its control yet; record some with `natadv capture run`")
    targets = class_targets(
        sources.victim, sources.names, sorted({item.label for item in items}), name=str(archive.folder)
    )
    labels = {sources.names[target] for target in targets.values()}
    known: dict[str, str] = {}
    for number, target in enumerate(sources.whole.targets):
        if sources.whole.labels[target] in labels:
            known[_digest(sources.whole.read(number))] = sources.key(number)
    return [
        _Shown(
            archive=archive,
            item=item,
            source=known.get(_digest(archive.image(item)), f"{archive.folder.name}/{item.source}"),
            target=targets[item.label],
        )
        for item in items
    ]


def _digest(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()
