"""Door: lets in who knows the token, by a header that a program sends or a cookie that the login gave a browser."""

from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from edge.page.tokens import COOKIE_S, Token, Tries

LOGIN: Final = "/login"
_OPEN: Final = ("/healthz", LOGIN, "/page.css", "/icon.svg")


class Door:
    """Keeps out who does not know the token.

    Attributes:
        tries: that failed.
    """

    def __init__(self, token: str, *, port: int, secure: bool) -> None:
        """Name the token.

        Args:
            token: that visitors must know.
            port: of the page; each has its own cookie, for several may run on one machine.
            secure: whether it is served by TLS, so that the cookie shall never go without.
        """
        self.tries = Tries()
        self._token = Token(token)
        self._cookie = f"natadv-{port}"
        self._secure = secure

    def refuse(self, scope: Scope) -> Response | None:
        """Return what a visitor is told who does not know the token; None: this one does, or need not."""
        if scope["path"] in _OPEN:
            return None
        headers = Headers(scope=scope)
        cookie = _cookie_of(headers, self._cookie)
        if cookie is not None and self._token.is_cookie(cookie):
            return None
        kind, _, tried = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._try(_address(scope), tried.strip())
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            return RedirectResponse(LOGIN, status_code=303)
        return refusal(401, "a token is needed", {"www-authenticate": "Bearer"})

    def login(self, scope: Scope, body: bytes) -> Response:
        """Answer the form of the login page: a cookie for who knows the token."""
        try:
            tried = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4).get("token", [""])[0]
        except ValueError:
            return refusal(400, "expected the form of the login page")
        refused = self._try(_address(scope), tried.strip())
        if refused is not None:
            word = "wait" if refused.status_code == 429 else "wrong"
            return RedirectResponse(f"{LOGIN}#{word}", status_code=303)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            self._cookie, self._token.cookie(), max_age=COOKIE_S, httponly=True, samesite="strict", secure=self._secure
        )
        return answer

    def _try(self, address: str, tried: str) -> Response | None:
        wait_s = self.tries.wait_s(address)
        if wait_s > 0:
            return refusal(429, f"too many wrong tokens; wait {wait_s:.0f} s", {"retry-after": str(int(wait_s) + 1)})
        if self._token.is_same(tried):
            self.tries.succeed(address)
            return None
        self.tries.fail(address)
        return refusal(401, "this is not the token", {"www-authenticate": "Bearer"})


def refusal(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that says why there is none, in the form that FastAPI gives its own."""
    return JSONResponse({"detail": text}, status_code=status, headers=headers)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _cookie_of(headers: Headers, name: str) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if morsel is None else morsel.value
