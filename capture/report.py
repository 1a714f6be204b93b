"""A session as one page: how often drops fooled each model, with pictures, and all that is needed to repeat it.

The page holds everything itself, pictures and charts too, and asks for nothing from anywhere: it can be mailed,
archived, or opened on a machine without a network. The same numbers go into two CSV files beside it.
"""

import csv
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import ascii_uppercase

import jinja2
import yaml

from capture.charts import COLOURS, coverage_chart
from capture.hits import DEFINITION
from capture.outcome import Moment, ScanSummary, Share, first_frame_share
from capture.scan import read_predictions, read_summary, scan_folders
from capture.strips import Scan, strips
from natadv.durable import replace_file
from natadv.errors import DataError
from rigs.archive import Archive
from rigs.session import Item

REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Column:
    """A scan as a column of the page."""

    letter: str
    colour: str
    summary: ScanSummary

    @property
    def clean_accuracy(self) -> str:
        """What the bundle says of the model on dry pictures; empty where it says nothing."""
        accuracy = self.summary.model.metrics.get("accuracy")
        return "" if accuracy is None else f"{100 * accuracy:.1f} % on {self.summary.model.accuracy_data or 'its data'}"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the success table: a share per scan, None where a scan has no such images."""

    name: str
    shares: tuple[Share | None, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The first and the last scan on the images whose control both get right."""

    both: int
    only_first: int
    only_last: int
    neither: int


def write_report(archive: Archive, *, scans: Sequence[str] = (), out: Path | None = None, largest: int = 120) -> Path:
    """Write a session's page with two CSV files beside it, and return the page's path.

    Args:
        archive: the session, scanned at least once.
        scans: first digits of the digests of the models to show, in this order; none means all, oldest first.
        out: the page; by default report.html in the session's folder.
        largest: so many images, those with the most hits, get a film strip; the others are listed.

    Raises:
        DataError: if there is no such scan, if one is out of date, if the session has no controls, or if a file cannot
            be written.
        ClipError: if a control is torn.
        ResourceError: if the disk is full.
    """
    if not archive.settings.control_frames:
        raise DataError(f"{archive.folder}: evidence of a live run has no controls to report on; look at its scan")
    out = out or archive.folder / REPORT
    found = [_read(folder) for folder in _chosen(archive, scans)]
    items = archive.complete_items()
    for scan in found:
        if len(scan.summary.items) != len(items):
            raise DataError(
                f"{scan.folder}: covers {len(scan.summary.items)} of {len(items)} images; scan the session again"
            )
    columns = [
        Column(ascii_uppercase[number % 26], COLOURS[number % len(COLOURS)], scan.summary)
        for number, scan in enumerate(found)
    ]
    fooled, withstood, uncounted = _sorted(items, found)
    page = _template().render(
        archive=archive,
        settings=archive.settings,
        placed=archive.placed,
        columns=columns,
        totals=[
            Row("Images", tuple(scan.summary.images for scan in found)),
            Row("Frames of their clips", tuple(scan.summary.wet_frames for scan in found)),
            *_placed_row(archive, found),
        ],
        classes=_class_rows(found),
        pairing=_pairing(found),
        chart=coverage_chart([c.summary.coverages for c in columns])
        if any(c.summary.coverages for c in columns)
        else "",
        fooled=strips(archive, fooled[:largest], found),
        more_fooled=[(item, [scan.outcomes()[item.number] for scan in found]) for item in fooled[largest:]],
        withstood=strips(archive, withstood[: 2 * largest], found),
        more_withstood=withstood[2 * largest :],
        uncounted=[(item, [scan.outcomes()[item.number].control for scan in found]) for item in uncounted],
        definition=DEFINITION,
        rig=yaml.safe_dump(archive.settings.rig, sort_keys=False, allow_unicode=True),
        commands=_commands(archive, found),
        csv_name=out.with_suffix(".csv").name,
    )
    replace_file(out, page.encode())
    _write_rows(out.with_suffix(".csv"), _item_rows(found))
    _write_rows(out.with_name(f"{out.stem}-coverage.csv"), _coverage_rows(found))
    return out


def _placed_row(archive: Archive, found: Sequence[Scan]) -> list[Row]:
    """Return a row for drops that were placed, where they were: in the first frame, before the plate moves."""
    placed = {item.number for item in archive.settings.items if item.drops_sha256}
    if not placed:
        return []
    shares = (first_frame_share(one for one in scan.summary.items if one.item in placed) for scan in found)
    return [Row("First frames, drops as they were found", tuple(shares))]


def _chosen(archive: Archive, wanted: Sequence[str]) -> list[Path]:
    folders = scan_folders(archive)
    if not folders:
        raise DataError(f"{archive.folder}: not scanned yet; run natadv capture scan {archive.folder} BUNDLE first")
    if not wanted:
        return folders
    chosen = []
    for digits in wanted:
        matching = [folder for folder in folders if read_summary(folder).model.sha256.startswith(digits.lower())]
        if len(matching) != 1:
            known = ", ".join(folder.name for folder in folders)
            raise DataError(f"{archive.folder}: {len(matching)} scans by a model {digits!r}; there are {known}")
        chosen.append(matching[0])
    return chosen


def _read(folder: Path) -> Scan:
    return Scan(folder, read_summary(folder), read_predictions(folder))


def _sorted(items: Iterable[Item], scans: Sequence[Scan]) -> tuple[list[Item], list[Item], list[Item]]:
    """Return the items that some model was fooled on, most hits first; none was; no model gets dry."""
    outcomes = [scan.outcomes() for scan in scans]
    fooled, withstood, uncounted = [], [], []
    for item in items:
        here = [outcome[item.number] for outcome in outcomes]
        if any(outcome.hits for outcome in here):
            fooled.append((sum(outcome.hits for outcome in here), item))
        elif any(outcome.control_right for outcome in here):
            withstood.append(item)
        else:
            uncounted.append(item)
    fooled.sort(key=lambda entry: (-entry[0], entry[1].number))
    return [item for _, item in fooled], withstood, uncounted


def _class_rows(scans: Sequence[Scan]) -> list[Row]:
    tables = [{entry.label: entry.images for entry in scan.summary.classes} for scan in scans]
    labels = sorted({label for table in tables for label in table})
    return [Row(label, tuple(table.get(label) for table in tables)) for label in labels]


def _pairing(scans: Sequence[Scan]) -> Pairing | None:
    if len(scans) < 2:
        return None
    first, last = scans[0].outcomes(), scans[-1].outcomes()
    pairs = [
        (first[number].hits > 0, last[number].hits > 0)
        for number in first
        if number in last and first[number].control_right and last[number].control_right
    ]
    return Pairing(
        both=pairs.count((True, True)),
        only_first=pairs.count((True, False)),
        only_last=pairs.count((False, True)),
        neither=pairs.count((False, False)),
    )


def _commands(archive: Archive, scans: Sequence[Scan]) -> list[str]:
    settings = archive.settings
    folder = str(archive.folder)
    run = ["natadv", "capture", "run", settings.rig_file, settings.images, "--out", folder]
    run += ["--purpose", settings.purpose, "--seed", str(settings.seed), "--count", str(len(settings.items))]
    run += ["--seconds", f"{settings.clip_s:g}", "--spray", f"{settings.spray_s:g}"]
    return [
        shlex.join(run),
        *(scan.summary.command or f"natadv capture scan {shlex.quote(folder)} BUNDLE" for scan in scans),
        shlex.join(["natadv", "capture", "report", folder]),
    ]


def _item_rows(scans: Sequence[Scan]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for scan in scans:
        for outcome in scan.summary.items:
            row: dict[str, object] = {
                "model_sha256": scan.summary.model.sha256,
                "model": scan.summary.model.name,
                "item": outcome.item,
                "image": outcome.source,
                "label": outcome.label,
                "control_right": outcome.control_right,
                "control_predicted": outcome.control.predicted if outcome.control else None,
                "control_confidence": outcome.control.confidence if outcome.control else None,
                "frames": outcome.frames,
                "hits": outcome.hits,
                "mean_coverage": outcome.coverage,
            }
            for name, moment in (("first", outcome.first), ("best", outcome.best), ("weakest", outcome.weakest)):
                row |= _moment_cells(name, moment)
            rows.append(row)
    return rows


def _moment_cells(name: str, moment: Moment | None) -> dict[str, object]:
    return {
        f"{name}_{field}": None if moment is None else getattr(moment, field)
        for field in ("frame", "time_s", "predicted", "confidence", "label_confidence")
    }


def _coverage_rows(scans: Sequence[Scan]) -> list[dict[str, object]]:
    return [
        {
            "model_sha256": scan.summary.model.sha256,
            "model": scan.summary.model.name,
            "coverage_from": entry.low,
            "coverage_below": entry.high,
            **{f"images_{key}": value for key, value in entry.images.model_dump().items()},
            **{f"frames_{key}": value for key, value in entry.frames.model_dump().items()},
        }
        for scan in scans
        for entry in scan.summary.coverages
    ]


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "sure": _sure}
    return environment.from_string(files("capture").joinpath("report.html").read_text(encoding="utf-8"))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _sure(confidence: float) -> str:
    """Return a confidence for a caption: whole percents, none of them claiming certainty."""
    if confidence > 0.995:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    return (
        "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
        if confidence < 0.005
        else f"{100 * confidence:.0f}\N{NO-BREAK SPACE}%"
    )


def _write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    replace_file(path, text.getvalue().encode())
