"""What recorded sessions say: the scans that capture wrote, as rates."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from capture.outcome import ScanSummary
from capture.scan import read_summary, scan_folders
from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import Rate
from natadv.papers.number import setting
from rigs.archive import Archive, open_archive


def scans_of(folder: Path, digits: Sequence[str] = ()) -> list[tuple[Path, ScanSummary]]:
    """Return the scans of a session with their folders.

    Args:
        folder: the session's.
        digits: the first digits of the digests of the models wanted, in this order; none means all, oldest first.

    Raises:
        DataError: if it is no session, not scanned, or a scan does not cover all of it.
        ConfigError: if there is no such scan, or more than one.
    """
    archive = open_archive(folder)
    found = [(path, read_summary(path)) for path in scan_folders(archive)]
    if not found:
        raise DataError(f"{folder}: not scanned yet; run natadv capture scan {folder} BUNDLE first")
    chosen = [_only(found, wanted, folder) for wanted in digits] or found
    for path, summary in chosen:
        if len(summary.items) != len(archive.complete_items()):
            raise DataError(f"{path}: covers {len(summary.items)} images; scan the session again")
    return chosen


def scan_by(folder: Path, checkpoint: Path) -> tuple[Path, ScanSummary]:
    """Return a session's scan by a bundle that was exported from this checkpoint, with its folder.

    Raises:
        DataError: if it is no session, not scanned, or the checkpoint cannot be read.
        ConfigError: if no scan, or more than one, is by such a bundle.
    """
    try:
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{checkpoint}: cannot be read ({error.strerror})") from error
    found = [scan for scan in scans_of(folder) if scan[1].model.checkpoint_sha256 == digest]
    if len(found) != 1:
        raise ConfigError(
            f"{folder}: {len(found)} scans are by a bundle of {checkpoint}; scan it with one, or name two by --scan"
        )
    return found[0]


def rate_of(summary: ScanSummary) -> Rate:
    """Return the images with a hit of those whose dry control the model gets right."""
    return Rate(summary.images.hits, summary.images.total)


def setting_of(archive: Archive, summary: ScanSummary) -> str:
    """Return how a session's rate was measured."""
    settings = archive.settings
    return setting(
        data=f"session {summary.session} ({summary.session_purpose})",
        rig=settings.rig["name"],
        clip=f"{settings.clip_s:g} s at {settings.fps:g} fps",
        spray=f"{settings.spray_s:g} s" if not archive.placed else None,
        placed=f"found drops before {archive.placed} of {len(settings.items)} images" if archive.placed else None,
        model=f"{summary.model.name} sha256 {summary.model.sha256[:12]}",
        size=f"{summary.model.input_width_px}x{summary.model.input_height_px} px",
        controls_wrong=summary.controls_wrong,
        hit=summary.hit_definition,
        seed=settings.seed,
    )


def _only(found: Sequence[tuple[Path, ScanSummary]], digits: str, folder: Path) -> tuple[Path, ScanSummary]:
    matching = [entry for entry in found if entry[1].model.sha256.startswith(digits.lower())]
    if len(matching) != 1:
        known = ", ".join(path.name for path, _ in found)
        raise ConfigError(f"--scan {digits}: {len(matching)} scans of {folder} are by such a model; there are {known}")
    return matching[0]
