"""Film strips of a report: the pictures of an image's control and hits, ready to stand in a page."""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import pyarrow as pa

from capture.charts import sparkline
from capture.outcome import ItemOutcome, Moment, ScanSummary
from capture.pipeline import cores
from capture.scan import HITS
from capture.scanner import hit_path
from natadv.images import Image, read_image, resize
from rigs.archive import Archive
from rigs.session import Item

# Pictures in the page are small: a thousand images must still open.
SIDE_PX = 144
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a strip: a data URI, what the model said of it, and when."""

    uri: str
    moment: Moment


@dataclass(frozen=True, slots=True)
class Reel:
    """What one model made of one image: its hits' pictures, and its whole clip as a sparkline (SVG)."""

    outcome: ItemOutcome
    first: Picture | None
    best: Picture | None
    timeline: str


@dataclass(frozen=True, slots=True)
class Strip:
    """One image: its control, and a reel per scan."""

    item: Item
    control_uri: str
    reels: tuple[Reel, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan as it was read from its folder."""

    folder: Path
    summary: ScanSummary
    predictions: pa.Table

    def outcomes(self) -> dict[int, ItemOutcome]:
        """Return the outcomes by their items' numbers."""
        return {outcome.item: outcome for outcome in self.summary.items}


def strips(archive: Archive, items: Sequence[Item], scans: Sequence[Scan]) -> list[Strip]:
    """Return the strips of some items, all of which every scan holds.

    Raises:
        ClipError: if a control is torn.
        DataError: if the picture of a hit is missing.
    """
    curves = [_curves(scan.predictions) for scan in scans]
    outcomes = [scan.outcomes() for scan in scans]

    def strip(item: Item) -> Strip:
        reels = []
        for scan, curve, outcome in zip(scans, curves, outcomes, strict=True):
            found = outcome[item.number]
            times, confidences, wrong = curve[item.number]
            reels.append(
                Reel(
                    found,
                    _picture(scan, item, found.first),
                    _picture(scan, item, found.best),
                    sparkline(times, confidences, wrong),
                )
            )
        return Strip(item, _control(archive, item), tuple(reels))

    with ThreadPoolExecutor(cores(), thread_name_prefix="report") as pool:
        return list(pool.map(strip, items))


def _control(archive: Archive, item: Item) -> str:
    clip = archive.clip(item, "dry")
    geometry = archive.settings.geometry
    images = clip.images()
    try:
        return data_uri(geometry.rectify(next(images), geometry.picture_size))
    finally:
        images.close()


def _picture(scan: Scan, item: Item, moment: Moment | None) -> Picture | None:
    if moment is None:
        return None
    return Picture(data_uri(read_image(scan.folder / HITS / hit_path(item, moment.frame))), moment)


def _curves(predictions: pa.Table) -> dict[int, tuple[list[float], list[float], list[bool]]]:
    """Return, per item, its wet frames' times, confidences in the true label, and whether they are wrong."""
    found: dict[int, tuple[list[float], list[float], list[bool]]] = {}
    columns = (predictions[name].to_pylist() for name in ("item", "kind", "timestamp_s", "label_confidence", "correct"))
    for item, kind, time_s, confidence, correct in zip(*columns, strict=True):
        if kind == "wet":
            times, confidences, wrong = found.setdefault(item, ([], [], []))
            times.append(time_s)
            confidences.append(confidence)
            wrong.append(not correct)
    return found


def data_uri(image: Image) -> str:
    """Return an image, shrunk to SIDE_PX at most, as a JPEG that stands in the page itself."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    small = resize(image, (max(1, round(scale * height)), max(1, round(scale * width))))
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
