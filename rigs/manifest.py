"""The manifest of a session: a line for everything that a clip or an image came to, and what they add up to."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from natadv.errors import DataError
from rigs.session import ClipRecord, Kind, RejectedRecord, RetriedRecord, SkippedRecord, VoidRecord

Line = ClipRecord | VoidRecord | RejectedRecord | SkippedRecord | RetriedRecord

_LINE: TypeAdapter[Line] = TypeAdapter(Line)


@dataclass(frozen=True, slots=True)
class Fate:
    """What an image came to so far.

    Attributes:
        attempt: recordings that were rejected; the next one's chance is drawn with it.
        failed: of them since it last got all its attempts, those that nobody asked for.
        skipped: why it was given up; None: it was not.
    """

    attempt: int = 0
    failed: int = 0
    skipped: tuple[str, ...] | None = None


@dataclass(slots=True)
class Manifest:
    """What the lines add up to.

    Attributes:
        noted: the completed clips, in order of completion.
        fates: of images that were rejected or skipped, by number.
        rejected: (item, checksum of its pixels) of clips that were taken back with their attempt.
    """

    noted: dict[tuple[int, Kind], ClipRecord] = field(default_factory=dict)
    fates: dict[int, Fate] = field(default_factory=dict)
    rejected: set[tuple[int, str]] = field(default_factory=set)

    def fate(self, item: int) -> Fate:
        """Return what an image came to."""
        return self.fates.get(item, Fate())

    def take(self, line: Line) -> None:
        """Add the next line."""
        fate = self.fate(line.item)
        match line:
            case ClipRecord():
                self.noted.pop((line.item, line.kind), None)
                self.noted[line.item, line.kind] = line
            case VoidRecord():
                self.noted.pop((line.item, line.kind), None)
            case RejectedRecord():
                for kind in ("dry", "wet"):
                    self.noted.pop((line.item, kind), None)
                self.rejected |= {(line.item, checksum) for checksum in line.pixels_sha256}
                self.fates[line.item] = Fate(fate.attempt + 1, fate.failed + (not line.asked), fate.skipped)
            case SkippedRecord():
                self.fates[line.item] = Fate(fate.attempt, fate.failed, line.skipped)
            case RetriedRecord():
                self.fates[line.item] = Fate(fate.attempt, 0, None)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; a line that was cut off counts for nothing, and a file that is missing has no lines.

    Raises:
        DataError: if any other line is damaged.
    """
    manifest = Manifest()
    if not path.exists():
        return manifest
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            manifest.take(_LINE.validate_json(line))
        except ValidationError as error:
            # A cut-off line is the last, or was ended by the next append; its clip was found again then.
            if _is_cut(line):
                continue
            raise DataError(f"{path}, line {number}: not a clip record; restore the file") from error
    return manifest


def _is_cut(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return True
    return False
