"""Album: evidence as the page shows it."""

from pathlib import Path

from edge.evidence import EvidenceClip as Kept
from edge.evidence import evidence_clips
from edge.labelling import label_clip
from edge.page.gallery import EvidenceClip, Part
from natadv.errors import ConfigError, DataError


class Album:
    """A folder of evidence as a gallery of the page; what goes meanwhile is simply not there any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clips(self) -> list[EvidenceClip]:
        """Return all clips, the newest first."""
        found = [_shown(clip) for clip in evidence_clips(self._folder)]
        return [clip for clip in reversed(found) if clip is not None]

    def picture(self, name: str, place: int) -> bytes | None:
        """Return one of the pictures of a clip, as JPEG; None: there is no such."""
        clip = self._find(name)
        return None if clip is None else clip.picture(place)

    def label(self, name: str, label: str, *, from_s: float | None = None, to_s: float | None = None) -> None:
        """Keep what a person says that a clip or a part of it shows, with pictures of it for training.

        Raises:
            ConfigError: if there is no such clip any more, or the model knew no such label.
            DataError, ResourceError: if it cannot be kept.
        """
        clip = self._find(name)
        if clip is None:
            raise ConfigError(f"{name}: there is no such clip any more")
        label_clip(clip.archive.folder, label, from_s=from_s, to_s=to_s)

    def _find(self, name: str) -> Kept | None:
        """Return a clip by its name, which is compared with those that are there and never becomes a path."""
        return next((clip for clip in evidence_clips(self._folder) if clip.name == name), None)


def _shown(clip: Kept) -> EvidenceClip | None:
    try:
        info = clip.archive.clip(clip.archive.settings.items[0], "wet").info
    except DataError:
        return None
    parts: tuple[Part, ...] = ()
    damaged = None
    try:
        parts = tuple(Part(part.label, part.from_s, part.to_s) for part in clip.parts())
    except DataError as error:
        damaged = str(error)
    said = clip.info
    return EvidenceClip(
        name=clip.name,
        at=said.at,
        signs=said.signs,
        said=said.said,
        label=clip.label,
        frames=info.frame_count,
        seconds=clip.archive.settings.clip_s,
        labels=said.labels,
        parts=parts,
        damaged=damaged,
    )
