"""Who may see the operator's page, and who may press its buttons."""

import pytest

from tests.console_page import TOKEN, ask, guarded, look_console

STOP, WISH = "/api/stop", "/api/wish/pause"
KNOWN = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "path", ["/api/state", "/stream", "/api/events", "/console.js", "/stop.js", "/api/hits/1/0.jpg"]
)
def test_who_does_not_know_the_token_sees_nothing(path: str) -> None:
    guard = guarded(look_console(), token=TOKEN)
    assert ask(guard, "GET", path).status_code == 401
    assert ask(guard, "GET", path, headers={"authorization": f"Bearer {TOKEN}x"}).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/login", "/page.css", "/icon.svg"])
def test_what_the_login_needs_is_open(path: str) -> None:
    answer = ask(guarded(look_console(), token=TOKEN), "GET", path)
    assert answer.status_code == 200
    assert "natadv edge" not in answer.text


def test_the_login_lets_a_browser_in() -> None:
    guard = guarded(look_console(), token=TOKEN)
    sent = ask(guard, "GET", "/", headers={"accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login")
    cookie = ask(guard, "POST", "/login", data={"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    assert "natadv capture" in ask(guard, "GET", "/", headers={"cookie": cookie}).text
    assert ask(guard, "GET", "/api/state", headers={"cookie": cookie}).json()["standing"] == "starting"


@pytest.mark.parametrize("path", [STOP, WISH, "/api/prompt/1"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (KNOWN | {"origin": "https://elsewhere.example"}, 403),
        (KNOWN | {"origin": "null"}, 403),
        (KNOWN | {"sec-fetch-site": "cross-site"}, 403),
        (KNOWN | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
    ],
)
def test_strangers_press_no_button(path: str, headers: dict[str, str], status: int) -> None:
    console = look_console()
    answer = ask(guarded(console, token=TOKEN), "POST", path, json={}, headers=headers)
    assert answer.status_code == status
    assert console.control.standing == "running"  # nothing was asked of it


@pytest.mark.parametrize("token", [None, TOKEN])
def test_who_may_press_them_does(token: str | None) -> None:
    console = look_console()
    headers = {} if token is None else KNOWN
    answer = ask(guarded(console, token=token), "POST", STOP, headers=headers)
    assert answer.status_code == 200
    assert console.control.halted_by == "the page"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("rebound.example", 421), ("192.168.1.5", 421)],
)
def test_without_a_token_it_is_known_by_loopbacks_names_alone(host: str, status: int) -> None:
    console = look_console()
    assert ask(guarded(console), "GET", "/api/state", host=host).status_code == status
    assert ask(guarded(console), "POST", STOP, host=host).status_code == status
    assert (console.control.halted_by is None) == (status == 421)


@pytest.mark.parametrize("path", ["/", "/console.css", "/view.js", "/api/state", "/nothing"])
def test_every_answer_has_its_security_headers(path: str) -> None:
    headers = ask(guarded(look_console()), "GET", path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


def test_the_page_holds_no_script_and_no_style_of_its_own() -> None:
    text = ask(guarded(look_console()), "GET", "/").text
    assert "style=" not in text
    assert "onclick" not in text
    assert text.count("<script") == text.count('<script type="module" src="/')


@pytest.mark.parametrize("number", ["0", "1", "-1", "99999999999999999999"])
def test_a_hit_that_there_is_not_has_no_picture(number: str) -> None:
    assert ask(guarded(look_console()), "GET", f"/api/hits/{number}/0.jpg").status_code == 404
