"""What the page says of a run: live, in alarm, or why what is seen is old news; and the past."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.page import timings as timings_module
from edge.page.timeline import KEPT_S, Timeline
from edge.page.timings import Stopwatch
from edge.sinks import Stages
from tests.live_page import Named, observation, page


def kind(shown) -> str:  # type: ignore[no-untyped-def]
    state = shown.ask("GET", "/api/state").json()
    ready = shown.ask("GET", "/readyz")
    assert (ready.status_code == 200) == (state["kind"] in ("live", "alarm"))
    said = "alive, but the model has given no answer for 7 s\n" if state["kind"] == "stuck" else "alive\n"
    assert shown.ask("GET", "/healthz").text == said
    return str(state["kind"])


def test_before_the_first_frame_it_waits() -> None:
    shown = page()
    assert kind(shown) == "waiting"
    assert shown.ask("GET", "/readyz").text == "no frame was predicted yet\n"
    assert shown.ask("GET", "/api/state").json()["now"] is None


def test_a_prediction_is_told_with_the_next_best() -> None:
    shown = page()
    shown.observe(observation(7, label="b", score=0.25))
    state = shown.ask("GET", "/api/state").json()
    assert kind(shown) == "live"
    now = state["now"]
    assert [guess["label"] for guess in now["top"]] == ["b", "a", "c"]
    assert (now["top"][0]["probability"], now["index"], now["score"], now["age_ms"]) == (0.8, 7, 0.25, 20.0)
    assert state["counts"]["predicted"] == 1
    assert state["timings"]["stages"]["inferred"] == {"p50_ms": 4.0, "p99_ms": 4.0}


def test_after_a_swap_the_old_models_guesses_get_no_names_of_the_new_one() -> None:
    shown = page()
    shown.observe(observation(label="b"))
    shown.live.slot.put(Named("next", ("c", "d", "e")))
    top = shown.ask("GET", "/api/state").json()["now"]["top"]
    assert [guess["label"] for guess in top] == ["b"]


def test_an_alarm_is_said_with_its_signs_and_its_beginning() -> None:
    shown = page()
    shown.observe(observation(alarm=True, signs=("uncertain", "flicker")))
    first = shown.ask("GET", "/api/state").json()
    shown.observe(observation(alarm=True, signs=("flicker",)))
    second = shown.ask("GET", "/api/state").json()
    assert (first["kind"], first["signs"], second["signs"]) == ("alarm", ["uncertain", "flicker"], ["flicker"])
    assert first["since"] == second["since"]
    shown.observe(observation())
    assert shown.ask("GET", "/api/state").json()["since"] is None


def test_without_signal_nothing_is_called_live() -> None:
    shown = page()
    shown.live.reception.good()
    shown.observe(observation())
    shown.live.reception.lost("camera 5: unplugged")
    assert kind(shown) == "no-signal"
    state = shown.ask("GET", "/api/state").json()
    assert state["reason"] == shown.ask("GET", "/readyz").text.strip() == "camera 5: unplugged"
    assert (datetime.now(UTC) - datetime.fromisoformat(state["since"])).total_seconds() < 20
    assert shown.state.trouble is not None
    assert shown.state.trouble.startswith("NO SIGNAL since ")
    assert "natadv_signal_up 0.0" in shown.ask("GET", "/metrics").text
    shown.live.reception.good()
    shown.observe(observation())
    assert kind(shown) == "live"
    assert shown.state.trouble is None


def test_old_frames_are_not_called_live() -> None:
    """As of a stream that is decoded slower than it is sent: there are pictures, and they are of the past."""
    shown = page()
    shown.observe(observation(age_s=1.9))
    assert kind(shown) == "live"
    shown.observe(observation(age_s=3.4, alarm=True))
    assert kind(shown) == "silent"
    first = shown.ask("GET", "/api/state").json()
    assert (
        first["reason"]
        == shown.ask("GET", "/readyz").text.strip()
        == "old frames: what was seen last was 3 s old by then"
    )
    assert shown.state.trouble is not None
    assert "old frames" in shown.state.trouble
    shown.observe(observation(age_s=20.0))
    second = shown.ask("GET", "/api/state").json()
    assert "20 s old" in second["reason"]
    assert first["since"] == second["since"]
    shown.observe(observation(age_s=0.1))
    assert kind(shown) == "live"


def test_behind_a_slow_model_frames_may_be_older() -> None:
    shown = page()
    slow = Stages(0.1, 0.0, 0.001, 4.0, 0.0005)
    shown.observe(replace(observation(age_s=7.9, fps=0.25), stages=slow))
    assert kind(shown) == "live"
    shown.observe(replace(observation(age_s=20.0, fps=0.25), stages=slow))
    assert kind(shown) == "silent"


def test_silence_is_noticed_before_the_run_itself_calls_it_an_outage() -> None:
    shown = page()
    shown.observe(observation())
    shown.state._last_s = time.monotonic() - 3
    assert kind(shown) == "silent"
    assert shown.ask("GET", "/readyz").text == "no new frame for 3 s\n"
    shown.observe(observation(fps=0.2))  # an image each five seconds
    shown.state._last_s = time.monotonic() - 20
    assert kind(shown) == "live"


def test_a_model_that_does_not_answer_is_stuck() -> None:
    shown = page()
    shown.observe(observation())
    shown.live.asking_s = 7.0
    assert kind(shown) == "stuck"
    assert shown.state.trouble is not None
    assert "MODEL STUCK" in shown.state.trouble
    assert "no answer for 7 s" in shown.ask("GET", "/readyz").text


def test_history_has_seconds_and_events_from_a_time_on() -> None:
    shown = page()
    shown.observe(observation(label="c"))
    shown.live.events.add("label", "c")
    history = shown.ask("GET", "/api/history").json()
    (second,) = history["seconds"]
    assert (second["label"], second["count"], second["alarm"]) == ("c", 1, False)
    assert [(event["kind"], event["text"]) for event in history["events"]] == [("label", "c")]
    later = shown.ask("GET", f"/api/history?after={second['at'] + 60}").json()
    assert later == {"seconds": [], "events": []}
    assert shown.ask("GET", "/api/history?after=-1").status_code == 422


def test_a_second_has_the_mean_confidence_and_any_alarm() -> None:
    timeline = Timeline()
    for at, confidence, alarm in ((10.1, 0.25, True), (10.9, 0.75, False), (12.0, 1.0, False)):
        one = observation(alarm=alarm)
        object.__setattr__(one.prediction, "confidence", confidence)
        timeline.add(one, at)
    first, second = timeline.since(0)
    assert (first.at, first.confidence, first.alarm, first.count) == (10, 0.5, True, 2)
    assert (second.at, second.confidence, second.alarm, second.count) == (12, 1.0, False, 1)
    assert [one.at for one in timeline.since(11)] == [12]


def test_the_past_ends_after_some_minutes() -> None:
    timeline, one = Timeline(), observation()
    for at in range(3 * KEPT_S):
        timeline.add(one, float(at))
    assert len(timeline.since(0)) == KEPT_S


def test_timings_are_of_the_last_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings_module, "_EVERY_S", 0.0)
    watch = Stopwatch()
    assert watch.timings() is None
    for number in range(1500):
        watch.add(observation(age_s=number / 1000))
    timings = watch.timings()
    assert timings is not None
    assert timings.age.p50_ms == pytest.approx(np.percentile(np.arange(500, 1500), 50), abs=1e-3)
    assert sum(timings.counts) == 1000
    place = int(np.argmax(timings.counts))
    assert timings.edges_ms[place] <= 5.0 <= timings.edges_ms[place + 1]
