"""Files that a page is made of, as they come with a package."""

from collections.abc import Callable, Mapping
from importlib import resources
from string import Template
from typing import Final

from fastapi import FastAPI
from fastapi.responses import Response

from edge.page.door import LOGIN

_SHARED: Final = {
    "/page.css": ("page.css", "text/css"),
    "/ask.js": ("ask.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def new_app(title: str, summary: str) -> FastAPI:
    """Return an application with what all our pages share: their look, how they ask, and the form for the token."""
    app = FastAPI(
        title=title,
        summary=summary,
        version="1",
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
    )
    add_files(app, "edge.page", _SHARED)
    form = Template((resources.files("edge.page") / "login.html").read_text("utf-8")).substitute(title=title)
    app.add_api_route(LOGIN, _answer(form.encode(), "text/html"), include_in_schema=False)
    return app


def add_files(app: FastAPI, package: str, files: Mapping[str, tuple[str, str]]) -> None:
    """Let an application answer with files of a package; `files` maps addresses to (file name, media type)."""
    folder = resources.files(package)
    for path, (name, media_type) in files.items():
        app.add_api_route(path, _answer((folder / name).read_bytes(), media_type), include_in_schema=False)


def _answer(content: bytes, media_type: str) -> Callable[[], Response]:
    def answer() -> Response:
        return Response(content, media_type=media_type)

    return answer
