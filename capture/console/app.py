"""The page's addresses: the page itself, films, events, and what its buttons ask."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

from capture.console.answers import Answered, Said, State, Stop, Wanted, Wish
from capture.console.console import Console
from capture.console.pictures import HitPictures
from capture.console.state import ConsoleState, can, standing_of
from edge.page.address import is_loopback
from edge.page.files import add_files, new_app
from edge.page.happenings import happenings
from edge.page.stream import Film, Seats, Stream, film_of
from rigs.frame import Frame

_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/console.css": ("console.css", "text/css"),
    "/console.js": ("console.js", "text/javascript"),
    "/stop.js": ("stop.js", "text/javascript"),
    "/view.js": ("view.js", "text/javascript"),
}
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Said, "description": "It was not taken; `detail` says why."},
}
_FULL: Final[dict[int | str, dict[str, Any]]] = {503: {"model": Said, "description": "Too many visitors."}}
_TAKEN: Final[dict[Wish, str]] = {
    "start": "the session begins",
    "pause": "it rests when this clip is complete",
    "resume": "it goes on",
    "skip": "this image is skipped",
    "respray": "the plate is dried and sprayed anew",
    "end": "it ends when this clip is complete",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows.

    Attributes:
        plain: the film of what the camera sees; `peaking` the same with what is in focus coloured.
        stops: runs emergency stops, and nothing else, so that nothing else can hold one up.
        ended: whether the page is to end.
    """

    console: Console
    state: ConsoleState
    plain: Film[Frame]
    peaking: Film[Frame]
    stops: Executor
    ended: Callable[[], bool]


def console_app(shown: Shown) -> FastAPI:
    """Return the application; who may ask it is `edge.page.guard`'s business."""
    app = new_app("natadv capture", "A session on a rig: what it sees, how it stands, and how it is led.")
    add_files(app, "capture.console", _FILES)
    _add_looking(app, shown)
    _add_asking(app, shown)
    return app


def _add_looking(app: FastAPI, shown: Shown) -> None:
    seats = Seats()
    pictures = HitPictures(shown.console)

    @app.get("/stream", responses=_FULL, response_class=Response)
    async def stream(peaking: bool = False) -> Response:
        """What the camera sees: multipart/x-mixed-replace of JPEG; `peaking` colours what is in focus."""
        return film_of(shown.peaking if peaking else shown.plain)

    @app.get("/api/state")
    def state() -> State:
        """How things stand."""
        return shown.state.state()

    @app.get("/api/events", responses=_FULL, response_class=Response)
    async def events(last_event_id: Annotated[str | None, Header(max_length=64)] = None) -> Response:
        """Server-sent events: `happened` (with ids; `Last-Event-ID` replays what was missed) and `state`.

        A `state` comes at most four times a second, and every two seconds though nothing changes.
        """
        told = happenings(shown.console.story, shown.state.happened, shown.state.news, last_event_id, shown.ended)
        return Stream(seats, told, "text/event-stream")

    @app.get("/api/hits/{number}/{place}.jpg", responses={404: {"model": Said}}, response_class=Response)
    def picture(number: int, place: int) -> Response:
        """A frame that fooled a model."""
        content = pictures.picture(number, place)
        if content is None:
            raise HTTPException(404, "there is no such picture")
        return Response(content, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """Answers while the process lives; needs no token."""
        return "alive\n"


def _add_asking(app: FastAPI, shown: Shown) -> None:
    console = shown.console

    # Not one of the server's pool of threads, which other answers may have used up.
    @app.post("/api/stop")
    async def stop(request: Request) -> Stop:
        """EMERGENCY STOP: the stage stands and the sprayer is shut when this answers; asking again does no harm."""
        if shown.ended():
            return Stop(detail="the session has ended, and the rig was let go", unstopped=[])
        loop = asyncio.get_running_loop()
        unstopped = await loop.run_in_executor(shown.stops, console.stop, _who(request))
        if unstopped:
            return Stop(detail=f"{' and '.join(unstopped)} did not obey: cut the power", unstopped=list(unstopped))
        return Stop(detail="the stage stands and the sprayer is shut", unstopped=[])

    @app.post("/api/wish/{wish}", responses=_REFUSED)
    async def ask(wish: Wish, wanted: Wanted, request: Request) -> Said:
        """Pass a wish on; the session obeys it where it safely can."""
        standing = standing_of(console, console.snapshot)
        if wish not in can(console, standing) or not console.wish(wish, _who(request), wanted.item):
            raise HTTPException(409, f"{wish}: of no use now ({standing}), or asked for already")
        return Said(detail=_TAKEN[wish])

    @app.post("/api/prompt/{number}", responses=_REFUSED)
    async def answer(number: int, answered: Answered) -> Said:
        """Say that what the operator was asked for is done, or will not be."""
        if not console.prompts.answer(number, done=answered.done):
            raise HTTPException(409, "this is not asked any more")
        return Said(detail="done" if answered.done else "refused")


def _who(request: Request) -> str:
    """Return who asks, in words for the journal."""
    address = "" if request.client is None else request.client.host
    return "the page" if not address or is_loopback(address) else f"the page at {address}"
