"""Predictions and events to an MQTT broker (the extra `mqtt`), for houses and machines that listen to one.

Below the topic of the address:

    prediction   the newest prediction, at most so often, as `natadv edge run` writes it; nobody minds one that is lost
    event        every event, delivered at least once
    state        "online" or, by the broker's own hand when the device is gone, "offline"; kept for who comes late
"""

import json
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from edge.events import Event
from edge.sinks import Observation, event_record, prediction_record
from natadv.errors import ConfigError, ConnectError

PASSWORD: Final = "NATADV_MQTT_PASSWORD"
_KEEP_ALIVE_S: Final = 30
_MOST_WAITING: Final = 1000  # events while the broker is away
_GOODBYE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to publish.

    Attributes:
        host: name or address.
        port: of it.
        topic: above all of ours.
        user: None: nobody in particular.
        password: of the user.
        tls: whether to speak TLS, by the system's certificates.
        every_s: least time between two predictions.
    """

    host: str
    port: int
    topic: str
    user: str | None = None
    password: str | None = None
    tls: bool = False
    every_s: float = 1.0


def parse_broker(address: str, environment: Mapping[str, str] = os.environ) -> Broker:
    """Read mqtt://[USER[:PASSWORD]@]HOST[:PORT]/TOPIC; the password is better kept in NATADV_MQTT_PASSWORD.

    Raises:
        ConfigError: if it is no such address.
    """
    expected = ConfigError("--mqtt: expected mqtt://HOST/TOPIC, or mqtts:// for TLS")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise expected from None  # its own words may have the password in them
    topic = unquote(parts.path).strip("/")
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not topic:
        raise expected
    if any(sign in topic for sign in "+#\0"):
        raise ConfigError(f"--mqtt: topic {topic!r} has a sign that only subscriptions may have")
    tls = parts.scheme == "mqtts"
    password = environment.get(PASSWORD) or (None if parts.password is None else unquote(parts.password))
    user = None if parts.username is None else unquote(parts.username)
    return Broker(parts.hostname, port or (8883 if tls else 1883), topic, user, password, tls)


class MqttSink:
    """Publishes; while the broker is away predictions are dropped and events wait, and it is tried again."""

    def __init__(self, broker: Broker) -> None:
        """Connect.

        Raises:
            ConnectError: if the broker cannot be reached, or lets us not in.
            ConfigError: if paho-mqtt is not installed.
        """
        self._broker, self._last_s = broker, float("-inf")
        mqtt = _library()
        self._client: Any = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(_MOST_WAITING)
        self._client.reconnect_delay_set(1, 60)
        self._client.will_set(self._topic("state"), "offline", qos=1, retain=True)
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            self._client.tls_set_context(ssl.create_default_context())
        answers: list[Any] = []
        self._client.on_connect = lambda client, data, flags, reason, properties: self._connected(answers, reason)
        where = f"{broker.host}:{broker.port}"
        try:
            self._client.connect(broker.host, broker.port, _KEEP_ALIVE_S)
        except (OSError, ValueError) as error:
            raise ConnectError(f"{where}: the broker cannot be reached ({error})") from error
        self._client.loop_start()
        end_s = time.monotonic() + _GOODBYE_S
        while not answers and time.monotonic() < end_s:
            time.sleep(0.01)
        if not answers or answers[0].is_failure:
            self._client.disconnect()  # or its socket stays open
            self._client.loop_stop()
            raise ConnectError(f"{where}: the broker lets us not in ({answers[0] if answers else 'no answer'})")

    def write(self, observation: Observation) -> None:
        """Publish a prediction, if the last one is long enough ago and the broker is there."""
        now_s = time.monotonic()
        if now_s - self._last_s >= self._broker.every_s and self._client.is_connected():
            self._last_s = now_s
            self._client.publish(self._topic("prediction"), _text(prediction_record(observation)), qos=0)

    def note(self, event: Event) -> None:
        """Publish an event, once the broker is there."""
        self._client.publish(self._topic("event"), _text(event_record(event)), qos=1)

    def close(self) -> None:
        """Say goodbye; what waits for a broker that is away is let go."""
        if self._client.is_connected():
            # That it went a moment ago, or still has a thousand events to take, is what paho's two errors say.
            with suppress(RuntimeError, ValueError):
                self._client.publish(self._topic("state"), "offline", qos=1, retain=True).wait_for_publish(_GOODBYE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connected(self, answers: list[Any], reason: Any) -> None:
        if not answers:  # the first tells whether it lets us in; each reconnection of all the weeks brings another
            answers.append(reason)
        if not reason.is_failure:
            self._client.publish(self._topic("state"), "online", qos=1, retain=True)

    def _topic(self, name: str) -> str:
        return f"{self._broker.topic}/{name}"


def _text(record: dict[str, object]) -> bytes:
    # The name of a file may hold halves of letters; written with a backslash they are what JSON says for them.
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _library() -> Any:
    try:
        from paho.mqtt import client  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise ConfigError(f"--mqtt needs the extra `mqtt`: pip install 'natadv[mqtt]' ({error})") from error
    return client
