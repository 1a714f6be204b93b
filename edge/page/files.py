"""Files that a page is made of, as they come with a package."""

from collections.abc import Callable, Mapping
from importlib import resources

from fastapi import FastAPI
from fastapi.responses import Response


def add_files(app: FastAPI, package: str, files: Mapping[str, tuple[str, str]]) -> None:
    """Let an application answer with files of a package; `files` maps addresses to (file name, media type)."""
    folder = resources.files(package)
    for path, (name, media_type) in files.items():
        app.add_api_route(path, _answer((folder / name).read_bytes(), media_type), include_in_schema=False)


def _answer(content: bytes, media_type: str) -> Callable[[], Response]:
    def answer() -> Response:
        return Response(content, media_type=media_type)

    return answer
