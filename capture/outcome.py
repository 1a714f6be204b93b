"""What a scan found: `summary.json`, and the counting that fills it."""

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from capture.hits import DEFINITION
from natadv.evaluation.rates import Rate, clustered_interval

# Share of the picture that drops cover: fine where most frames are, so that bins hold enough images.
COVERAGE_EDGES = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 0.8, 1.0)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(_Record):
    """A share with its count and 95 % interval, all 0..1; `value` is None where nothing was counted."""

    hits: int
    total: int
    value: float | None
    low: float
    high: float


class Moment(_Record):
    """One frame of a clip and what the model said of it.

    Attributes:
        frame: place in the clip, from 0.
        time_s: since the clip's first frame.
        confidence: of the prediction; `label_confidence` that of the true label.
    """

    frame: int
    time_s: float
    predicted: str
    confidence: float
    label_confidence: float


class ItemOutcome(_Record):
    """What the model made of one image.

    Attributes:
        item: its number in the session.
        source: its path, as the session names it.
        control: the first frame of the control, or the first one the model gets wrong; None where there is none.
        control_right: whether it gets every frame of the control right; if not, there are no hits. Where there is no
            control, whether somebody labelled the clip.
        frames: of the wet clip.
        hits: how many of them are hits.
        first: the first hit.
        best: the hit in whose wrong answer the model trusts most.
        weakest: the wet frame in which it trusts the true label least.
        coverage: mean share that drops cover; None where the rig cannot know.
    """

    item: int
    source: str
    label: str
    control: Moment | None
    control_right: bool
    frames: int
    hits: int
    first: Moment | None
    best: Moment | None
    weakest: Moment
    coverage: float | None


class ClassOutcome(_Record):
    """Success against the images of one label, and against their frames."""

    label: str
    images: Share
    frames: Share


class CoverageOutcome(_Record):
    """Success where drops cover at least `low` and less than `high` of the picture (at most, in the last bin).

    An image counts in every bin that it has frames in, as a hit where one of those frames is.
    """

    low: float
    high: float
    images: Share
    frames: Share


class ModelInfo(_Record):
    """The model that was scanned with; `metrics`, `accuracy_data` and its checkpoint are its bundle's own words."""

    sha256: str
    checkpoint_sha256: str = ""
    name: str
    labels: int
    input_height_px: int
    input_width_px: int
    provider: str
    metrics: dict[str, float]
    accuracy_data: str | None


class ScanSummary(_Record):
    """What `summary.json` says of a scan.

    Attributes:
        session: name of the session's folder.
        clips: how many completed clips the session had; where it has more now, it is to be scanned again.
        frames: all that were classified, controls included.
        seconds: that it took; with `frames_per_s` and how many times faster than they were recorded.
        hits_per_clip: at most so many were kept as pictures.
        images: attack success rate: images with a hit, of those whose control is right.
        wet_frames: hits of all frames of those images' clips; the interval knows that a clip's frames are kin.
        controls_wrong: images that do not count, as the model fails on their control.
        command: that ran the scan; empty where it was not a command.
    """

    format: Literal["natadv-scan/1"] = "natadv-scan/1"
    created: str
    natadv_version: str
    versions: dict[str, str]
    command: str
    model: ModelInfo
    session: str
    session_purpose: Literal["training", "test"]
    hit_definition: str = DEFINITION
    hits_per_clip: int
    clips: int
    frames: int
    seconds: float
    frames_per_s: float
    times_real_time: float
    images: Share
    wet_frames: Share
    controls_wrong: int
    classes: tuple[ClassOutcome, ...]
    coverages: tuple[CoverageOutcome, ...]
    items: tuple[ItemOutcome, ...]


def image_share(items: Iterable[ItemOutcome]) -> Share:
    """Return the attack success rate over images, with its Wilson interval."""
    counted = [item for item in items if item.control_right]
    return share_of(sum(item.hits > 0 for item in counted), len(counted))


def first_frame_share(items: Iterable[ItemOutcome]) -> Share:
    """Return how many clips begin with a hit: placed drops are then where they were found, and later elsewhere."""
    counted = [item for item in items if item.control_right]
    return share_of(sum(item.first is not None and item.first.frame == 0 for item in counted), len(counted))


def frame_share(items: Iterable[ItemOutcome]) -> Share:
    """Return the share of hits among the frames of the images that count."""
    counted = [item for item in items if item.control_right]
    return clustered_share([item.hits for item in counted], [item.frames for item in counted])


def by_class(items: Sequence[ItemOutcome]) -> tuple[ClassOutcome, ...]:
    """Return the success against each label, in sorted order."""
    groups: dict[str, list[ItemOutcome]] = {}
    for item in items:
        groups.setdefault(item.label, []).append(item)
    return tuple(
        ClassOutcome(label=label, images=image_share(group), frames=frame_share(group))
        for label, group in sorted(groups.items())
    )


def by_coverage(clips: Iterable[tuple[Sequence[float], Sequence[bool]]]) -> tuple[CoverageOutcome, ...]:
    """Return the success by how much of the picture drops cover, bins without frames left out.

    Args:
        clips: per image that counts, each wet frame's coverage and whether it is a hit.
    """
    last = len(COVERAGE_EDGES) - 2
    counts: list[list[tuple[int, int]]] = [[] for _ in range(last + 1)]
    for coverages, hits in clips:
        found: dict[int, list[bool]] = {}
        for coverage, hit in zip(coverages, hits, strict=True):
            place = sum(coverage >= edge for edge in COVERAGE_EDGES[1:])
            found.setdefault(min(place, last), []).append(hit)
        for place, answers in found.items():
            counts[place].append((sum(answers), len(answers)))
    return tuple(
        CoverageOutcome(
            low=COVERAGE_EDGES[place],
            high=COVERAGE_EDGES[place + 1],
            images=share_of(sum(hits > 0 for hits, _ in clips_here), len(clips_here)),
            frames=clustered_share([hits for hits, _ in clips_here], [frames for _, frames in clips_here]),
        )
        for place, clips_here in enumerate(counts)
        if clips_here
    )


def share_of(hits: int, total: int) -> Share:
    """Return a share of independent samples with its Wilson interval."""
    rate = Rate(hits, total)
    low, high = rate.interval
    return Share(hits=hits, total=total, value=rate.value if total else None, low=low, high=high)


def clustered_share(hits: Sequence[int], totals: Sequence[int]) -> Share:
    """Return a share of samples that come in groups, as frames do in clips."""
    low, high = clustered_interval(hits, totals)
    rate = Rate(sum(hits), sum(totals))
    return Share(hits=rate.hits, total=rate.total, value=rate.value if rate.total else None, low=low, high=high)
