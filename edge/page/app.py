"""The page's addresses: the page itself, streams, and the interfaces for other programs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, HTTPException, Query
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from edge.events import EventLog
from edge.page.answers import Clip, GivenLabel, History, ModelInfo, Said, ShownPart, State, WantedBundle
from edge.page.files import add_files, new_app
from edge.page.gallery import PICTURES, EvidenceClip, Gallery
from edge.page.happenings import happenings
from edge.page.models import BusyError, Models
from edge.page.pictures import Pictures
from edge.page.state import PageState
from edge.page.stream import Seats, Stream, film_of
from natadv.errors import NatadvError

_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/chart.js": ("chart.js", "text/javascript"),
    "/evidence.js": ("evidence.js", "text/javascript"),
}
# A card comes with a bundle, perhaps a stranger's: it may show what it holds, and do nothing.
_CARD_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Said, "description": "There is no such thing."},
    409: {"model": Said, "description": "It was refused; `detail` says why."},
}
_FULL: Final[dict[int | str, dict[str, Any]]] = {503: {"model": Said, "description": "Too many visitors."}}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows.

    Attributes:
        gallery: of evidence; None: none is kept.
        ended: whether the run is over.
    """

    state: PageState
    events: EventLog
    models: Models
    pictures: Pictures
    metrics: CollectorRegistry
    gallery: Gallery | None
    ended: Callable[[], bool]


def page_app(shown: Shown) -> FastAPI:
    """Return the application; who may ask it is `edge.page.guard`'s business."""
    app = new_app("natadv edge", "A live run of a model bundle: what it sees, says and needs.")
    add_files(app, "edge.page", _FILES)
    _add_run(app, shown)
    _add_model(app, shown.models)
    _add_evidence(app, shown.gallery)
    _add_health(app, shown)
    return app


def _add_run(app: FastAPI, shown: Shown) -> None:
    seats = Seats()

    @app.get("/stream", responses=_FULL, response_class=Response)
    async def stream() -> Response:
        """The frames that are looked at, with what is said of them: multipart/x-mixed-replace of JPEG."""
        return film_of(shown.pictures)

    @app.get("/api/state")
    def state() -> State:
        """How the run stands."""
        return shown.state.state()

    @app.get("/api/history")
    def history(after: Annotated[int, Query(ge=0, description="Seconds since 1970.")] = 0) -> History:
        """The last ten minutes, second by second, and events."""
        return shown.state.history(after)

    @app.get("/api/events", responses=_FULL, response_class=Response)
    async def events(last_event_id: Annotated[str | None, Header(max_length=64)] = None) -> Response:
        """Server-sent events: `happened` (with ids; `Last-Event-ID` replays what was missed) and `state`.

        A `state` comes at most four times a second, and every two seconds though nothing changes.
        """
        chunks = happenings(shown.events, shown.state.happened, shown.state.news, last_event_id, shown.ended)
        return Stream(seats, chunks, "text/event-stream")


def _add_model(app: FastAPI, models: Models) -> None:
    @app.get("/api/model")
    def model() -> ModelInfo:
        """The model in use, and the bundles that may follow it."""
        return models.info()

    @app.post("/api/model", responses=_REFUSED)
    def swap(wanted: WantedBundle) -> ModelInfo:
        """Verify a bundle beside the one in use, and put it in its place; answers when that is done."""
        folder = models.choice().get(wanted.bundle)
        if folder is None:
            raise HTTPException(404, "no bundle of this name in the folder that --bundles gives")
        try:
            models.swap(folder)
        except BusyError as error:
            raise HTTPException(409, "another swap is under way; wait for it") from error
        except NatadvError as error:
            raise HTTPException(409, str(error)) from error
        return models.info()

    @app.get("/card", responses={404: _REFUSED[404]}, response_class=Response)
    def card() -> Response:
        """The model card of the bundle in use, a page of HTML."""
        content = models.card()
        if content is None:
            raise HTTPException(404, "this bundle has no card.html")
        return Response(content, media_type="text/html", headers={"content-security-policy": _CARD_POLICY})


def _add_evidence(app: FastAPI, gallery: Gallery | None) -> None:
    @app.get("/api/evidence")
    def evidence() -> list[Clip]:
        """The clips that were kept of alarms, the newest first."""
        return [] if gallery is None else [_clip(clip) for clip in gallery.clips()]

    @app.get("/api/evidence/{name}/{place}.jpg", responses={404: _REFUSED[404]}, response_class=Response)
    def picture(name: str, place: int) -> Response:
        """One of a clip's pictures, spread evenly over it."""
        known = gallery is not None and 0 <= place < PICTURES and any(name == clip.name for clip in gallery.clips())
        content = gallery.picture(name, place) if gallery is not None and known else None
        if content is None:
            raise HTTPException(404, "there is no such picture")
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    @app.post("/api/evidence/{name}/label", responses=_REFUSED)
    def label(name: str, given: GivenLabel) -> Said:
        """Say what a clip truly shows, or a part of it."""
        clip = None if gallery is None else next((one for one in gallery.clips() if one.name == name), None)
        if gallery is None or clip is None:
            raise HTTPException(404, "there is no clip of this name")
        if given.label not in clip.labels:  # a swap may have put a model with others in place since
            raise HTTPException(409, "expected one of the labels that the clip's model knew")
        try:
            gallery.label(name, given.label, from_s=given.from_s, to_s=given.to_s)
        except NatadvError as error:
            raise HTTPException(409, str(error)) from error
        return Said(detail="labelled")


def _add_health(app: FastAPI, shown: Shown) -> None:
    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """Answers while the process lives, and says if the model gives no answer; needs no token."""
        stuck = shown.state.stuck
        return "alive\n" if stuck is None else f"alive, but {stuck}\n"

    @app.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Why it is not."}})
    async def readyz() -> PlainTextResponse:
        """Whether fresh frames are answered by a model."""
        reason = shown.state.readiness
        return PlainTextResponse("ready\n" if reason is None else f"{reason}\n", 200 if reason is None else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> Response:
        """For Prometheus."""
        return Response(generate_latest(shown.metrics), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _clip(clip: EvidenceClip) -> Clip:
    return Clip(
        name=clip.name,
        at=clip.at,
        signs=list(clip.signs),
        said=clip.said,
        label=clip.label,
        frames=clip.frames,
        seconds=clip.seconds,
        pictures=PICTURES,
        labels=list(clip.labels),
        parts=[ShownPart(label=part.label, from_s=part.from_s, to_s=part.to_s) for part in clip.parts],
        damaged=clip.damaged,
    )
