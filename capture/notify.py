"""Notify: an e-mail or a webhook when a session stops or is in trouble, so that an operator can walk away.

Messages are sent from a thread of their own; a mail server that is slow or gone never holds up the recording. Each is
tried some times, and one that cannot be sent is said in the journal.
"""

import http.client
import json
import os
import queue
import smtplib
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator

from capture.events import DeviceLost, Disk, Event, Said, Stopped
from capture.snapshot import Snapshot
from natadv.errors import ConfigError, NatadvError
from rigs.settings import Settings

_TRIES: Final = 3
_RETRY_S: Final = 5.0
_PATIENCE_S: Final = 60.0
_LINES: Final = 10


class EmailSettings(Settings):
    """A mail server and who gets mail.

    Attributes:
        security: `tls` from the first byte, `starttls` after the greeting, or none, for a server on this machine.
        user: to log in with; empty: nobody does.
        password_env: environment variable that holds the password, so that it stands in no file.
    """

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["tls", "starttls", "none"] = "starttls"
    sender: str
    to: Annotated[list[str], Field(min_length=1)]
    user: str = ""
    password_env: str = ""
    timeout_s: PositiveFloat = 20.0


class WebhookSettings(Settings):
    """An address that gets a JSON message by POST: `text`, for chat services, with the rest beside it."""

    url: str
    timeout_s: PositiveFloat = 20.0

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address that begins with http:// or https://")
        return url


class NotifySettings(Settings):
    """Who is told.

    Attributes:
        trouble: whether of trouble too, not of the end alone.
        quiet_s: of trouble, at most one message in so many seconds; the next says how many were left out.
    """

    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None
    trouble: bool = True
    quiet_s: NonNegativeFloat = 600.0


Send = Callable[[str, str, Snapshot], None]


class Notifier:
    """Listens to a session's journal and tells people, as a context manager that ends when all is sent."""

    def __init__(
        self,
        settings: NotifySettings,
        name: str,
        snapshot: Callable[[], Snapshot],
        said: Callable[[str], None],
        *,
        retry_s: float = _RETRY_S,
    ) -> None:
        """Prepare.

        Args:
            settings: who is told.
            name: of the session, for the subject.
            snapshot: says how it stands.
            said: told of a message that could not be sent.
            retry_s: between two tries.

        Raises:
            ConfigError: if the environment lacks the password.
        """
        self._settings, self._name, self._snapshot, self._said = settings, name, snapshot, said
        self._retry_s = retry_s
        self._senders: list[tuple[str, Send]] = []
        if settings.email:
            self._senders.append((f"e-mail by {settings.email.host}", _Mailer(settings.email)))
        if settings.webhook:
            self._senders.append((f"webhook {urlsplit(settings.webhook.url).hostname}", _Hook(settings.webhook)))
        self._queue: queue.Queue[tuple[str, str] | threading.Event | None] = queue.Queue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send_all, daemon=True, name="notifier")
        self._told_s = float("-inf")
        self._left_out = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send what waits, for a minute at most."""
        self.finish()

    def finish(self) -> None:
        """Send what waits, for a minute at most; nothing is sent after."""
        self._queue.put(None)
        self._thread.join(_PATIENCE_S)

    def flush(self) -> None:
        """Send what waits by now, for a minute at most; what comes after is sent too."""
        sent = threading.Event()
        self._queue.put(sent)
        sent.wait(_PATIENCE_S)

    def hear(self, event: Event) -> None:
        """Take an event of the journal; returns at once."""
        if isinstance(event, Stopped):
            self._queue.put((f"session {self._name}: {event.outcome}", event.reason))
        elif self._settings.trouble and _is_trouble(event):
            now_s = time.monotonic()
            if now_s - self._told_s < self._settings.quiet_s:
                self._left_out += 1
                return
            more = f"\n{self._left_out} more since the last message" if self._left_out else ""
            self._told_s, self._left_out = now_s, 0
            self._queue.put((f"session {self._name}: trouble", event.text + more))

    def _send_all(self) -> None:
        while (message := self._queue.get()) is not None:
            if isinstance(message, threading.Event):
                message.set()
                continue
            for name, send in self._senders:
                self._send(name, send, *message)

    def _send(self, name: str, send: Send, subject: str, text: str) -> None:
        for number in range(1, _TRIES + 1):
            try:
                send(subject, text, self._snapshot())
            except (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError) as error:
                if number == _TRIES:
                    self._say_unsent(name, subject, error)
                else:
                    self._ending.wait(self._retry_s)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is said, and the next message is sent
                self._say_unsent(name, subject, error)
                return
            else:
                return

    def _say_unsent(self, name: str, subject: str, error: Exception) -> None:
        reason = " ".join(str(error).split()) or type(error).__name__
        with suppress(NatadvError):  # the disk is full: the recording meets the same, and says so
            self._said(f"{name}: could not be told of `{subject}` ({reason})")


def _is_trouble(event: Event) -> bool:
    match event:
        case DeviceLost():
            # One loss that mends itself is no reason to wake anybody.
            return event.tries > 1 or event.wait_s is None
        case Disk():
            return not event.enough
        case Said():
            return event.trouble
        case _:
            return False


class _Mailer:
    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._password = os.environ.get(settings.password_env) if settings.password_env else None
        if settings.user and not self._password:
            named = settings.password_env or "(none is named)"
            raise ConfigError(f"notify: email: the environment variable password_env, {named}, holds no password")

    def __call__(self, subject: str, text: str, snapshot: Snapshot) -> None:
        settings = self._settings
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = settings.sender, ", ".join(settings.to), subject
        message.set_content(f"{text}\n\n{_standing(snapshot)}\n\n" + "\n".join(snapshot.log[-_LINES:]) + "\n")
        context = ssl.create_default_context()
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        with server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user and self._password:
                server.login(settings.user, self._password)
            server.send_message(message)


class _Hook:
    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings

    def __call__(self, subject: str, text: str, snapshot: Snapshot) -> None:
        body = {
            "text": f"{subject}: {text}",
            "images": snapshot.images,
            "done": snapshot.done,
            "skipped": snapshot.skipped,
            "log": snapshot.log[-_LINES:],
        }
        request = urllib.request.Request(  # the settings take http and https alone
            self._settings.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        # No other address than the one that was written down: redirections are errors.
        with _OPENER.open(request, timeout=self._settings.timeout_s):
            pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _standing(snapshot: Snapshot) -> str:
    skipped = f", {snapshot.skipped} skipped" if snapshot.skipped else ""
    return f"{snapshot.done} of {snapshot.images} images recorded{skipped}, {snapshot.left} left"
