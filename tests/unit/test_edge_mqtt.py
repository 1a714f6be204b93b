"""What a broker hears of a live run, and that the run does not mind when the broker is away."""

import asyncio
import gc
import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from paho.mqtt import client as paho

from edge.events import Event
from edge.mqtt import Broker, MqttSink, _text, parse_broker
from edge.prediction import Prediction
from edge.sinks import Observation, Stages, event_record
from edge.source import Shot
from natadv.errors import ConfigError, ConnectError
from rigs.frame import Frame
from tests.free_port import free_port

pytest.importorskip("amqtt")


@contextmanager
def broker(port: int) -> Iterator[None]:
    """Run a broker in a thread, on the loopback."""
    from amqtt.broker import Broker as Amqtt

    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        one = Amqtt(config)
        await one.start()
        started.set()
        while not stop.is_set():
            await asyncio.sleep(0.02)
        await one.shutdown()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


class Listener:
    """Subscribes to all and keeps what it hears."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, str]] = []
        self.client: Any = paho.Client(paho.CallbackAPIVersion.VERSION2)
        ready = threading.Event()
        self.client.on_connect = lambda *_: self.client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode())
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(20)

    def of(self, topic: str) -> list[str]:
        return [text for name, text in self.heard if name == topic]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def observation(number: int) -> Observation:
    shot = Shot(Frame(np.zeros((2, 2, 3), np.uint8), number, float(number)))
    said = Prediction("stop", 0, 0.75, np.array([0.75, 0.25], np.float32))
    return Observation(shot, said, Stages(0.0, 0.0, 0.0, 0.0), 0.0, 30.0)


def wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.01)


def test_a_broker_hears_predictions_now_and_then_events_and_the_state() -> None:
    port = free_port()
    with broker(port):
        listener = Listener(port)
        with MqttSink(Broker("127.0.0.1", port, "house/door", every_s=60)) as sink:
            for number in range(5):
                sink.write(observation(number))
                sink.note(Event("alarm", f"flicker {number}"))
            wait_for(lambda: len(listener.of("house/door/event")) == 5)
            wait_for(lambda: bool(listener.of("house/door/prediction")))
        wait_for(lambda: listener.of("house/door/state") == ["online", "offline"])
        listener.close()
    (said,) = [json.loads(text) for text in listener.of("house/door/prediction")]
    assert (said["label"], said["confidence"], said["index"]) == ("stop", 0.75, 0)
    assert [json.loads(text)["text"] for text in listener.of("house/door/event")] == [
        f"flicker {number}" for number in range(5)
    ]


def test_events_wait_for_a_broker_that_is_away() -> None:
    port = free_port()
    with broker(port):
        sink = MqttSink(Broker("127.0.0.1", port, "t", every_s=0))
    wait_for(lambda: not sink._client.is_connected())
    sink.write(observation(0))
    sink.note(Event("no-signal", "unplugged"))
    with broker(port):
        listener = Listener(port)
        wait_for(lambda: bool(listener.of("t/event")))
        assert listener.of("t/prediction") == []
        sink.write(observation(1))
        wait_for(lambda: bool(listener.of("t/prediction")))
        listener.close()
        sink.close()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("Message publish failed: The client is not currently connected."), ValueError("ERR_QUEUE_SIZE")],
)
def test_a_broker_that_goes_just_when_the_run_ends_is_no_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MagicMock()
    client.connect.side_effect = lambda *_: client.on_connect(client, None, None, MagicMock(is_failure=False), None)
    monkeypatch.setattr(paho, "Client", lambda version: client)
    sink = MqttSink(Broker("127.0.0.1", 1883, "t"))
    # As paho does where its connection broke since it was asked, or its queue is full.
    client.publish.return_value.wait_for_publish.side_effect = error
    sink.close()
    client.disconnect.assert_called_once()
    client.loop_stop.assert_called_once()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Paho's client, for what no broker of ours does."""
    client = MagicMock()
    monkeypatch.setattr(paho, "Client", lambda version: client)
    return client


def test_what_a_broker_said_of_old_reconnections_is_not_kept(client: MagicMock) -> None:
    class Answer:
        is_failure = False

    answers = [Answer() for _ in range(3)]
    said = [weakref.ref(one) for one in answers]
    client.connect.side_effect = lambda *_: client.on_connect(client, None, None, answers[0], None)
    sink = MqttSink(Broker("127.0.0.1", 1883, "t"))
    client.reset_mock()  # it keeps what it was called with
    for answer in answers[1:]:
        client.on_connect(client, None, None, answer, None)
    assert client.publish.call_count == 2  # it says that it is online each time
    del answer
    answers.clear()
    gc.collect()
    assert [one() is None for one in said[1:]] == [True, True]
    sink.close()


def test_a_broker_that_lets_us_not_in_has_no_connection_of_ours_left(client: MagicMock) -> None:
    client.connect.side_effect = lambda *_: client.on_connect(client, None, None, MagicMock(is_failure=True), None)
    with pytest.raises(ConnectError, match="lets us not in"):
        MqttSink(Broker("127.0.0.1", 1883, "t"))
    client.disconnect.assert_called_once()
    client.loop_stop.assert_called_once()


def test_a_broker_that_was_never_there_is_an_error() -> None:
    with pytest.raises(ConnectError, match="the broker cannot be reached"):
        MqttSink(Broker("127.0.0.1", free_port(), "t"))


def test_addresses() -> None:
    assert parse_broker("mqtt://h/a/b", {}) == Broker("h", 1883, "a/b")
    assert parse_broker("mqtts://me:pa%40ss@h:99/a", {}) == Broker("h", 99, "a", "me", "pa@ss", tls=True)
    assert parse_broker("mqtt://me@h/a", {"NATADV_MQTT_PASSWORD": "s"}).password == "s"


@pytest.mark.parametrize("address", ["h/a", "http://h/a", "mqtt://h", "mqtt:///a", "mqtt://h:x/a", "mqtt://h/a/%23"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="--mqtt: "):
        parse_broker(address, {})


@pytest.mark.parametrize("host", ["[h", "h\uff0f"])
def test_what_python_takes_for_no_address_is_refused_without_its_password(host: str) -> None:
    with pytest.raises(ConfigError, match="--mqtt: expected mqtt://") as raised:
        parse_broker(f"mqtt://me:secret@{host}/a", {})
    assert "secret" not in str(raised.value)


def test_a_bundles_name_that_is_no_text_is_published_all_the_same() -> None:
    name = os.fsdecode(b"m\xff")
    assert json.loads(_text(event_record(Event("model", name))).decode("utf-8"))["text"] == name
