"""A page to ask: its application in memory, or served on a free port with a run that a test leads by hand."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from edge.live import Live
from edge.page.address import PageOptions
from edge.page.app import Shown, page_app
from edge.page.door import Door
from edge.page.gallery import PICTURES, EvidenceClip, Gallery, Part
from edge.page.guard import Guard
from edge.page.metrics import Metrics
from edge.page.models import Models
from edge.page.pictures import Pictures
from edge.page.serving import page_of
from edge.page.state import PageState
from edge.prediction import Prediction
from edge.sinks import Observation, Sink, Stages
from edge.slot import Predictor, Slot
from edge.source import Shot
from edge.swap import Swapper
from natadv.errors import BundleError, ResourceError
from natadv.images import Image
from rigs.frame import Frame

TOKEN = "sixteen-or-more-signs"


class Named:
    """A model that is asked nothing."""

    digest = "0" * 64
    input_size = (8, 6)

    def __init__(self, name: str = "first", labels: tuple[str, ...] = ("a", "b", "c")) -> None:
        self.described, self.labels = name, labels

    def prepare(self, images: Sequence[Image]) -> np.ndarray:
        return np.stack(images)

    def answer(self, frames: np.ndarray) -> list[Prediction]:
        raise AssertionError("not to be asked")

    def abandon(self) -> None: ...

    def close(self) -> None: ...


class Album:
    """A gallery of two clips; the second one cannot be labelled."""

    def __init__(self) -> None:
        self.labels: dict[str, str] = {}
        self.parts: list[Part] = []
        self.asked: list[tuple[str, int]] = []

    def clips(self) -> list[EvidenceClip]:
        at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        return [
            EvidenceClip(
                name, at, ("flicker",), "b", self.labels.get(name), 90, 6.0, ("a", "b", "c", "z"), tuple(self.parts)
            )
            for name in ("one", "two")
        ]

    def picture(self, name: str, place: int) -> bytes | None:
        self.asked.append((name, place))
        return b"jpeg" if 0 <= place < PICTURES - 1 else None

    def label(self, name: str, label: str, *, from_s: float | None = None, to_s: float | None = None) -> None:
        if name == "two":
            raise ResourceError("two: the disk is full")
        if from_s is None and to_s is None:
            self.labels[name] = label
        else:
            self.parts.append(Part(label, from_s or 0.0, 6.0 if to_s is None else to_s))


@dataclass(slots=True)
class Page:
    """An application in memory, and what is behind it."""

    live: Live
    state: PageState
    guard: Guard
    metrics: Metrics
    models: Models
    door: Door | None

    def observe(self, observation: Observation) -> None:
        """Publish an observation, as the live loop does."""
        self.live.summary.add(observation)
        for sink in (self.state, self.metrics):
            sink.write(observation)

    def ask(self, method: str, path: str, *, address: str = "127.0.0.1", host: str = "127.0.0.1:8000", **more: Any):  # type: ignore[no-untyped-def]
        """Return the answer to a request that seems to come from an address, for a host."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.guard, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


def page(
    *, token: str | None = None, bundles: Path | None = None, gallery: Gallery | None = None, model: Any = None
) -> Page:
    """Return a page of a run that has yet to begin; bundles named "bad" are refused."""
    live = Live(Slot(model or Named()))

    def open_bundle(folder: Path) -> Predictor:
        if folder.name == "bad":
            raise BundleError(f"{folder.name}: altered after the export; export the model again")
        return Named(folder.name)

    models = Models(live.slot, Swapper(live.slot, live.events, open_bundle), Path("/bundles/first"), bundles)
    state = PageState(live)
    door = None if token is None else Door(token, port=8000, secure=False)
    metrics = Metrics(live, models, lambda: state.readiness, lambda: 0 if door is None else door.tries.failed)
    pictures = Pictures(lambda: state.trouble)
    shown = Shown(state, live.events, models, pictures, metrics.registry, gallery, lambda: False)
    guard = Guard(page_app(shown), door=door, host="localhost")
    return Page(live, state, guard, metrics, models, door)


@contextmanager
def served(live: Live | None = None, **options: Any) -> Iterator[tuple[str, Live, Sequence[Sink]]]:
    """Serve a page on a free port of this machine; give its address, its run and its sinks."""
    live = live or Live(Slot(Named()))
    swapper = Swapper(live.slot, live.events, lambda folder: Named(folder.name))
    with page_of(live, swapper, Path("first"), PageOptions(**options)) as sinks:
        (url,) = [event.text for event in live.events.latest(9) if event.kind == "page"]
        yield url, live, sinks


def observation(
    index: int = 0, *, label: str = "a", image: Image | None = None, alarm: bool = False, **more: Any
) -> Observation:
    """Return an observation of one of three classes."""
    place = "abc".index(label)
    probabilities = np.full(3, 0.1, np.float32)
    probabilities[place] = 0.8
    prediction = Prediction(label, place, 0.8, probabilities, score=more.pop("score", None))
    frame = Frame(np.zeros((24, 32, 3), np.uint8) if image is None else image, index, float(index))
    more = {"age_s": 0.02, "fps": 30.0, "steady": label} | more
    stages = Stages(0.008, 0.002, 0.001, 0.004, 0.0005)
    return Observation(Shot(frame), prediction, stages=stages, alarm=alarm, **more)
