import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from capture.events import Began, DeviceLost, Disk, Recorded, Said, Stopped
from capture.notify import EmailSettings, Notifier, NotifySettings, WebhookSettings
from capture.rules import Rules
from capture.snapshot import Telling
from natadv.errors import ConfigError, ResourceError
from rigs.settings import load_settings
from tests.free_port import free_port

LOST = DeviceLost(device="stage", reason="stage: ALARM:1", tries=2, wait_s=4.0)
STOPPED = Stopped(outcome="failed", reason="stage: ALARM:1; home it")


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs, with replies of several lines and dots doubled."""

    def handle(self):
        self._say("220-a test\r\n220 at your service")
        lines, text = [], None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if text is not None:
                if line == ".":
                    self.server.mails.append((lines, "\n".join(text)))
                    text = None
                    self._say("250 kept")
                else:
                    text.append(line.removeprefix("."))
                continue
            lines.append(line)
            word = line.split()[0].upper()
            if word == "RCPT" and self.server.refusals:
                self._say(self.server.refusals.pop())
            elif word == "DATA":
                text = []
                self._say("354 go on")
            elif word == "AUTH":
                self._say("235 welcome")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250-yes\r\n250 AUTH PLAIN" if word == "EHLO" else "250 yes")

    def _say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop() if self.server.statuses else 200
        if status == 200:
            self.server.bodies.append(json.loads(body))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def _serving(server, **attributes):
    vars(server).update(attributes)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def smtp():
    with _serving(socketserver.TCPServer(("127.0.0.1", 0), _Smtp), mails=[], refusals=[]) as server:
        yield server


@pytest.fixture
def web():
    with _serving(HTTPServer(("127.0.0.1", 0), _Hook), bodies=[], statuses=[]) as server:
        yield server


def _email(port, **more):
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "rig@example.org",
        "to": ["a@b.example"],
    }
    return EmailSettings.model_validate(settings | more)


def _hook(server):
    return WebhookSettings(url=f"http://127.0.0.1:{server.server_address[1]}/hook")


def _told(settings, events):
    telling, said = Telling(), []
    with Notifier(settings, "night 7", telling.snapshot, said.append, retry_s=0.01) as notifier:
        for event in events:
            telling.take(event)
            notifier.hear(event)
    return said


def test_mail_says_what_happened_and_how_it_stands(smtp):
    recorded = Recorded(item=0, clip="wet", attempt=0, frames=150, lost=0, complete=True, stored_bytes=4_000_000)
    began = Began(images=9, done=0, skipped=0, clips=2, pid=1)
    assert _told(NotifySettings(email=_email(smtp.server_address[1])), [began, recorded, STOPPED]) == []
    ((lines, text),) = smtp.mails
    assert any(line.upper().startswith("RCPT TO:<A@B.EXAMPLE>") for line in lines)
    mail = message_from_string(text, policy=policy.default)
    assert (mail["From"], mail["To"], mail["Subject"]) == ("rig@example.org", "a@b.example", "session night 7: failed")
    body = mail.get_content()
    for words in ("stage: ALARM:1; home it", "1 of 9 images recorded, 8 left", "image 0 wet: 150 frames"):
        assert words in body


def test_a_password_comes_from_the_environment(smtp, monkeypatch):
    named = {"user": "rig", "password_env": "NATADV_TEST_MAIL"}
    settings = NotifySettings(email=_email(smtp.server_address[1], **named))
    with pytest.raises(ConfigError, match="NATADV_TEST_MAIL, holds no password"):
        _told(settings, [])
    monkeypatch.setenv("NATADV_TEST_MAIL", "not in a file")
    assert _told(settings, [STOPPED]) == []
    assert any(line.startswith("AUTH PLAIN") for line in smtp.mails[0][0])


def test_a_webhook_gets_the_same(web):
    assert _told(NotifySettings(webhook=_hook(web)), [LOST, STOPPED]) == []
    trouble, end = web.bodies
    assert trouble["text"] == "session night 7: trouble: stage lost (stage: ALARM:1); opened again in 4 s"
    assert end["text"] == "session night 7: failed: stage: ALARM:1; home it"
    assert end["done"] == 0
    assert len(end["log"]) == 2


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (LOST, 1),
        (LOST.model_copy(update={"tries": 1}), 0),
        (LOST.model_copy(update={"tries": 1, "wait_s": None}), 1),
        (Disk(free_bytes=10, image_bytes=4, images_left=9), 1),
        (Disk(free_bytes=100, image_bytes=4, images_left=9), 0),
        (Said(words="x", trouble=True), 1),
        (Said(words="x"), 0),
    ],
)
def test_what_mends_itself_wakes_nobody(web, event, told):
    _told(NotifySettings(webhook=_hook(web)), [event])
    assert len(web.bodies) == told
    _told(NotifySettings(webhook=_hook(web), trouble=False), [event])
    assert len(web.bodies) == told


def test_trouble_after_trouble_is_one_message_but_the_end_is_always_told(web):
    _told(NotifySettings(webhook=_hook(web), quiet_s=600), [LOST, LOST, LOST, STOPPED])
    assert [body["text"].split(":")[1] for body in web.bodies] == [" trouble", " failed"]
    web.bodies.clear()
    _told(NotifySettings(webhook=_hook(web), quiet_s=0), [LOST, LOST])
    assert len(web.bodies) == 2


def test_a_server_that_refuses_for_a_moment_is_asked_again(smtp, web):
    web.statuses.append(503)
    smtp.refusals.append("451 later")
    settings = NotifySettings(email=_email(smtp.server_address[1]), webhook=_hook(web))
    assert _told(settings, [STOPPED]) == []
    assert len(web.bodies) == len(smtp.mails) == 1


def test_what_cannot_be_sent_is_said_and_holds_up_nothing_else(web):
    gone = _email(free_port())
    (said,) = _told(NotifySettings(email=gone, webhook=_hook(web)), [STOPPED])
    assert said.startswith("e-mail by 127.0.0.1: could not be told of `session night 7: failed` (")
    assert len(web.bodies) == 1


class _NoHttp(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"good day\r\n")


def test_a_webhook_that_speaks_no_http_is_said_and_silences_nobody(smtp):
    with _serving(socketserver.TCPServer(("127.0.0.1", 0), _NoHttp)) as server:
        both = NotifySettings(webhook=_hook(server), email=_email(smtp.server_address[1]), quiet_s=0)
        said = _told(both, [LOST, STOPPED])
    assert [words.startswith("webhook 127.0.0.1: could not be told of") for words in said] == [True, True]
    assert len(smtp.mails) == 2


def test_whatever_else_goes_wrong_is_said_and_the_next_message_is_sent(web, monkeypatch):
    telling, said = Telling(), []
    wrong = [TypeError("of a library")]

    def snapshot():
        if wrong:
            raise wrong.pop()
        return telling.snapshot()

    def full(text):
        said.append(text)
        raise ResourceError("the disk is full")

    with Notifier(NotifySettings(webhook=_hook(web), quiet_s=0), "night 7", snapshot, full) as notifier:
        notifier.hear(LOST)
        notifier.flush()
        assert len(said) == 1
        assert "of a library" in said[0]
        notifier.hear(STOPPED)
        notifier.flush()
        assert len(web.bodies) == 1


def test_a_webhook_that_sends_elsewhere_is_not_followed(web):
    web.statuses += [302] * 3
    (said,) = _told(NotifySettings(webhook=_hook(web)), [STOPPED])
    assert "302" in said
    assert not web.bodies


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notify: {webhook: {url: 'ftp://x/y'}}", "line 1: .*http"),
        ("notify:\n  email: {host: x, sender: a, to: []}", "line 2"),
        ("checks: {retrys: 1}", "did you mean `retries`"),
        ("reconnect: {tries: 0}", "tries"),
    ],
)
def test_rules_that_are_none_are_one_line(tmp_path, text, said):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_settings(path, Rules)
