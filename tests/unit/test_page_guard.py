"""Who may see the page: tokens, cookies, names, other sites' pages; and how much may be sent there."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from edge.page import guard as guard_module
from edge.page.door import Door
from edge.page.guard import MOST_BODY
from edge.page.tokens import Token, Tries
from tests.live_page import TOKEN, Album, page

LABEL = "/api/evidence/one/label"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/state", {}, 401),
        ("/metrics", {}, 401),
        ("/stream", {}, 401),
        ("/", {"accept": "text/html"}, 303),
        ("/api/state", {"authorization": "Bearer wrong-and-of-no-use"}, 401),
        ("/api/state", {"authorization": f"Basic {TOKEN}"}, 401),
        ("/api/state", {"authorization": f"Bearer {TOKEN}x"}, 401),
        ("/api/state", {"authorization": "Bearer Ünïcode-is-no-token".encode("latin-1").decode("latin-1")}, 401),
        ("/api/state", {"authorization": f"bearer {TOKEN}"}, 200),
        ("/api/state?token=" + TOKEN, {}, 401),
        ("/api/state", {"cookie": f"natadv-8000={TOKEN}"}, 401),
        ("/api/state", {"cookie": "natadv-8000=99999999999.0000"}, 401),
        ("/api/state", {"cookie": "natadv-8000=never.0000"}, 401),
        ("/healthz", {}, 200),
        ("/login", {}, 200),
        ("/page.css", {}, 200),
        ("/page.js", {}, 401),
        ("/openapi.json", {}, 401),
        ("/nothing", {}, 401),
    ],
)
def test_who_knows_the_token_may_come(path: str, headers: dict[str, str], status: int) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = page(token=TOKEN).ask("GET", path, headers=raw)
    assert answer.status_code == status
    if status == 303:
        assert answer.headers["location"] == "/login"


def test_the_login_gives_a_browser_a_cookie_that_no_script_sees() -> None:
    shown = page(token=TOKEN)
    answer = shown.ask("POST", "/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    said = answer.headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert TOKEN not in said
    cookie = said.partition(";")[0]
    assert shown.ask("GET", "/api/state", headers={"cookie": cookie}).status_code == 200
    # Another run of the same token knows it still; another token does not, nor does another port.
    assert page(token=TOKEN).ask("GET", "/api/state", headers={"cookie": cookie}).status_code == 200
    assert page(token=TOKEN + "2").ask("GET", "/api/state", headers={"cookie": cookie}).status_code == 401
    other = cookie.replace("8000", "8001")
    assert shown.ask("GET", "/api/state", headers={"cookie": other}).status_code == 401


def test_a_cookie_does_not_last_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    token = Token(TOKEN)
    cookie = token.cookie()
    assert token.is_cookie(cookie)
    expires, _, signed = cookie.partition(".")
    assert not token.is_cookie(f"{int(expires) + 1}.{signed}")
    later = time.time() + 31 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    assert not token.is_cookie(cookie)


def test_by_tls_the_cookie_never_goes_without() -> None:
    scope: dict[str, Any] = {"client": ("127.0.0.1", 1)}
    assert "Secure" in Door(TOKEN, port=1, secure=True).login(scope, f"token={TOKEN}".encode()).headers["set-cookie"]


def test_wrong_tokens_are_counted_and_slowed_down_by_address() -> None:
    shown = page(token=TOKEN)
    wrong = {"authorization": "Bearer wrong-and-of-no-use"}
    right = {"authorization": f"Bearer {TOKEN}"}
    statuses = [shown.ask("GET", "/api/state", headers=wrong, address="10.0.0.9").status_code for _ in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    refused = shown.ask("GET", "/api/state", headers=right, address="10.0.0.9")
    assert refused.status_code == 429  # it is not even looked at
    assert int(refused.headers["retry-after"]) >= 1
    assert shown.ask("GET", "/api/state", headers=right, address="10.0.0.8").status_code == 200
    said = shown.ask("POST", "/login", data={"token": TOKEN}, address="10.0.0.9")
    assert said.headers["location"] == "/login#wait"
    assert shown.door is not None
    assert shown.door.tries.failed == 5
    assert "natadv_page_failed_logins_total 5.0" in shown.ask("GET", "/metrics", headers=right).text


def test_tries_wait_longer_each_time_up_to_half_a_minute_and_are_forgotten() -> None:
    now_s = [0.0]
    tries = Tries(lambda: now_s[0])
    waits = []
    for _ in range(12):
        tries.fail("2001:db8::1")
        waits.append(tries.wait_s("2001:db8::2"))  # of the same network
        now_s[0] += waits[-1]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert tries.wait_s("2001:db8:0:1::1") == 0
    now_s[0] += 1000
    tries.fail("2001:db8::1")
    assert tries.wait_s("2001:db8::1") == 0


def test_addresses_that_failed_do_not_fill_the_memory() -> None:
    tries = Tries()
    for number in range(3000):
        tries.fail(f"10.0.{number // 256}.{number % 256}")
    assert len(tries._by_address) == 1000


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("rebound.example:8000", 421),
        ("127.0.0.1.example", 421),
        ("192.168.1.5:8000", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
def test_without_a_token_it_is_known_by_loopbacks_names_alone(host: str, status: int) -> None:
    assert page().ask("GET", "/api/state", headers={"host": host}).status_code == status


def test_with_a_token_it_may_have_any_name() -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "host": "device-7.example"}
    assert page(token=TOKEN).ask("GET", "/api/state", headers=headers).status_code == 200


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
        ({"sec-fetch-site": "none"}, 200),
    ],
)
def test_another_sites_page_may_change_nothing(token: str | None, headers: dict[str, str], status: int) -> None:
    album = Album()
    shown = page(token=token, gallery=album)
    known = {} if token is None else {"authorization": f"Bearer {token}"}
    answer = shown.ask("POST", LABEL, json={"label": "a"}, headers=headers | known)
    assert answer.status_code == status
    assert album.labels == ({"one": "a"} if status == 200 else {})


def test_another_sites_page_may_link_here_but_embed_nothing() -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    assert page().ask("GET", "/", headers=foreign | {"sec-fetch-mode": "navigate"}).status_code == 200
    assert page().ask("GET", "/stream", headers=foreign | {"sec-fetch-mode": "no-cors"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/state", "/nothing", "/healthz"])
def test_every_answer_has_its_security_headers(path: str) -> None:
    headers = page().ask("GET", path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_a_body_that_is_too_large_is_refused() -> None:
    shown = page(gallery=Album())
    assert shown.ask("POST", LABEL, content=b" " * (MOST_BODY + 1)).status_code == 413
    assert shown.ask("POST", "/login", content=b" " * (MOST_BODY + 1)).status_code == 413
    just = b'{"label": "a"}'.ljust(MOST_BODY)
    answer = shown.ask("POST", LABEL, content=just, headers={"content-type": "application/json"})
    assert answer.status_code == 200


def test_a_form_of_many_fields_is_refused() -> None:
    content = b"&".join(b"token=%d" % number for number in range(9))
    assert page(token=TOKEN).ask("POST", "/login", content=content).status_code == 400


def test_a_body_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "_BODY_S", 0.1)

    async def slowly():  # type: ignore[no-untyped-def]
        yield b"{"
        await asyncio.sleep(20)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(page(gallery=Album()).guard), base_url="http://localhost"
        ) as client:
            return await client.post(LABEL, content=slowly())

    assert asyncio.run(ask()).status_code == 408
