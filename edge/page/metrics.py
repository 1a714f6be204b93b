"""Metrics of a run for Prometheus, in a registry of its own."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.events import Event
from edge.live import Live
from edge.page.models import Models
from edge.sinks import STAGES, Observation

_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_COUNTS: Final = {
    "frames_seen": ("seen", "Frames that the source gave."),
    "frames_predicted": ("predicted", "Frames that were predicted and published."),
    "frames_skipped": ("skipped", "Frames replaced by a newer one before the model was free."),
    "frames_lost": ("lost", "Frames missing in the camera's own count."),
    "frames_dead": ("dead", "Frames of one colour, or repeated, that were not looked at."),
    "outages": ("outages", "Times that the signal was lost."),
    "model_restarts": ("restarts", "Models replaced because they hung or failed."),
    "model_swaps": ("swaps", "Models replaced because another was to take their place."),
}


class Metrics:
    """Measures observations and counts events; a sink.

    Attributes:
        registry: what is to be scraped.
    """

    def __init__(
        self, live: Live, models: Models, readiness: Callable[[], str | None], failed_logins: Callable[[], int]
    ) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._events: dict[str, int] = {"alarm": 0}
        self._alarm = False
        self._stages = Histogram(
            "natadv_stage_seconds",
            "Where a frame's time went: captured (until it was here, as far as its stamp tells), queued, prepared,"
            " inferred, published.",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._by_stage = {name: self._stages.labels(name) for name in STAGES}
        self._age = Histogram(
            "natadv_frame_age_seconds",
            "Age of a frame when its prediction was published.",
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_AtScrape(live, models, readiness, failed_logins, self))

    def write(self, observation: Observation) -> None:
        """Measure one."""
        for name, seconds in observation.stages.named().items():
            self._by_stage[name].observe(seconds)
        self._age.observe(observation.age_s)
        self._alarm = observation.alarm

    def note(self, event: Event) -> None:
        """Count one."""
        self._events[event.kind] = self._events.get(event.kind, 0) + 1

    @property
    def alarm(self) -> bool:
        """Whether there was an alarm with the newest prediction."""
        return self._alarm

    @property
    def events(self) -> dict[str, int]:
        """Events by kind."""
        return dict(self._events)


class _AtScrape(Collector):
    """What is known anyway, asked for when somebody scrapes."""

    def __init__(
        self,
        live: Live,
        models: Models,
        readiness: Callable[[], str | None],
        failed_logins: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._live, self._models, self._metrics = live, models, metrics
        self._readiness, self._failed_logins = readiness, failed_logins

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment."""
        summary, events = self._live.summary, self._metrics.events
        for name, (attribute, text) in _COUNTS.items():
            yield CounterMetricFamily(f"natadv_{name}", text, value=getattr(summary, attribute))
        yield CounterMetricFamily("natadv_alarms", "Alarms.", value=events["alarm"])
        by_kind = CounterMetricFamily("natadv_events", "Events by kind.", labels=["kind"])
        for kind, count in events.items():
            by_kind.add_metric([kind], count)
        yield by_kind
        yield CounterMetricFamily("natadv_page_failed_logins", "Wrong tokens.", value=self._failed_logins())
        yield GaugeMetricFamily("natadv_signal_up", "1: frames come.", value=self._live.reception.reason is None)
        yield GaugeMetricFamily("natadv_alarm", "1: there is an alarm.", value=self._metrics.alarm)
        yield GaugeMetricFamily("natadv_ready", "1: as /readyz says.", value=self._readiness() is None)
        yield GaugeMetricFamily("natadv_model_asking_seconds", "How long the model is asked.", self._live.asking_s)
        info = self._models.info()
        facts = {"bundle": info.bundle, "name": info.name, "sha256": info.sha256, "precision": info.precision}
        described = {key: value or "" for key, value in facts.items()}
        yield InfoMetricFamily("natadv_model", "The model in use.", value=described)
