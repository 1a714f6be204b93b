"""State: how things stand, gathered from control, journal, tap and prompts for the page."""

from datetime import UTC, datetime
from typing import Final

from capture.console.answers import (
    DeviceHealth,
    Health,
    HitShown,
    ModelCount,
    PromptShown,
    Standing,
    State,
    Turn,
    View,
    Wish,
)
from capture.console.console import Console
from capture.console.gauge import Gauge
from capture.console.pictures import best_of
from capture.console.story import Told
from capture.snapshot import ModelHits, Snapshot
from edge.page.answers import Happened
from natadv.evaluation.rates import Rate

_DEVICES: Final = ("camera", "screen", "stage", "sprayer")
_STALE_S: Final = 3.0
_MOST_HITS: Final = 40


class ConsoleState:
    """Says at any time how a console stands; any thread may ask."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._gauge = Gauge(lambda: console.tap.newest)

    def news(self) -> tuple[object, State]:
        """Return a mark that changes with what is worth telling at once, and how things stand."""
        now = self.state()
        told = self._console.story.latest(1)
        turn = None if now.now is None else (now.now.item, now.now.clip, now.now.attempt)
        prompt = None if now.prompt is None else now.prompt.number
        return (now.standing, told[-1].number if told else 0, turn, prompt, now.can, now.item, self._gauge.count), now

    def state(self) -> State:
        """Return how things stand."""
        console = self._console
        snapshot, prompt = console.snapshot, console.prompts.now
        view = self._gauge.view(console.corners)
        standing = standing_of(console, snapshot)
        turn = snapshot.now if standing in ("running", "pausing", "stopping") else None
        return State(
            run=console.story.run,
            at=datetime.now(UTC),
            rig=console.rig,
            session=None if console.folder is None else console.folder.name,
            standing=standing,
            reason=_reason(console, snapshot, standing),
            can=can(console, standing),
            unstopped=list(console.unstopped),
            images=snapshot.images,
            done=snapshot.done,
            skipped=snapshot.skipped,
            reshoots=snapshot.reshoots,
            item=console.control.item,
            now=None if turn is None else Turn.model_validate(turn.model_dump(include=set(Turn.model_fields))),
            images_per_hour=None if snapshot.images_per_hour is None else round(snapshot.images_per_hour),
            left_s=snapshot.left_s if standing in ("running", "pausing", "lost") else None,
            disk=None if snapshot.disk is None else snapshot.disk.text.removeprefix("disk: "),
            disk_enough=snapshot.disk is None or snapshot.disk.enough,
            devices=_devices(console, snapshot, standing, view),
            models=[_count(name, counts) for name, counts in snapshot.hits.items()],
            hits=[
                HitShown(
                    number=number,
                    item=hit.item,
                    model=hit.model,
                    predicted=hit.predicted,
                    hits=hit.hits,
                    frames=hit.frames,
                    pictures=len(hit.pictures),
                    best=best_of(hit),
                )
                for number, hit in console.story.hits()[:_MOST_HITS]
            ],
            prompt=None if prompt is None else PromptShown(number=prompt.number, words=prompt.words),
            view=view,
            corners=None if console.corners is None else list(console.corners),
        )

    def happened(self, told: Told) -> Happened:
        """Return an event as it is told."""
        event = told.event
        return Happened(id=f"{self._console.story.run}-{told.number}", kind=event.kind, text=event.text, at=event.at)


def standing_of(console: Console, snapshot: Snapshot) -> Standing:
    """Return how a session stands, the most serious first."""
    control = console.control
    if control.halted_by is not None:
        return "halted"
    if not console.story.begun:
        return "starting" if console.started else "preview"
    if snapshot.stopped is not None:
        return "ended"
    if snapshot.device_lost is not None and control.standing == "running":
        return "lost"
    return control.standing


def _reason(console: Console, snapshot: Snapshot, standing: Standing) -> str:
    control = console.control
    halted = f"emergency stop by {control.halted_by}; stage and sprayer were told to stop"
    if console.unstopped:
        halted = f"{' and '.join(console.unstopped)} did not obey: cut the power"
    reasons = {
        "preview": console.trouble or "",
        "halted": halted,
        "stopping": f"asked by {control.ended_by}",
        "pausing": f"asked by {control.paused_by}",
        "paused": f"asked by {control.paused_by}",
        "lost": "" if snapshot.device_lost is None else snapshot.device_lost.text,
        "ended": "" if snapshot.stopped is None else snapshot.stopped.text,
    }
    return reasons.get(standing, "")


def can(console: Console, standing: Standing) -> list[Wish]:
    """Return the wishes that would be taken where a session stands so."""
    wishes: list[Wish] = []
    if standing == "preview" and console.can_start:
        wishes.append("start")
    if standing in ("running", "lost"):
        wishes.append("pause")
    if standing in ("pausing", "paused"):
        wishes.append("resume")
    if standing in ("running", "pausing", "paused") and console.control.item is not None:
        wishes += ["skip", "respray"]
    if standing in ("running", "lost", "pausing", "paused", "starting", "preview"):
        wishes.append("end")
    return wishes


def _devices(console: Console, snapshot: Snapshot, standing: Standing, view: View | None) -> list[DeviceHealth]:
    """Say of each device whether it is there; what a camera does is seen."""
    lost = snapshot.device_lost
    found = []
    for device in _DEVICES:
        health: Health = "good"
        words = "open"
        if standing == "halted" and device in console.unstopped:
            health, words = "lost", "did not obey the emergency stop"
        elif standing == "starting" or (snapshot.stopped is not None and console.story.begun):
            health, words = "waiting", "not open"
        elif lost is not None and lost.device in (device, "rig"):
            health, words = "lost", lost.reason
        elif lost is not None:
            health, words = "waiting", f"let go, as the {lost.device} is lost"
        elif console.trouble is not None:
            health, words = "waiting", console.trouble
        elif device == "camera":
            health, words = _camera(view)
        found.append(DeviceHealth(device=device, health=health, words=words))
    return found


def _camera(view: View | None) -> tuple[Health, str]:
    if view is None:
        return "waiting", "no frame yet"
    if view.age_s > _STALE_S:
        return "waiting", f"no frame was asked for in {view.age_s:.0f} s"
    return "good", "frames come" if view.fps is None else f"{view.fps:g} frames a second"


def _count(model: str, counts: ModelHits) -> ModelCount:
    return ModelCount(
        model=model,
        images=counts.images,
        fooled=counts.fooled,
        hits=counts.hits,
        controls_wrong=counts.controls_wrong,
        rate=str(Rate(counts.fooled, counts.images)),
    )
