"""An unattended session in one plot: images, memory and processes over time, with the faults from outside."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot

from benchmarks.unattended_judge import Notes
from capture.journal import Reader


def draw(session: Path, notes: Notes, figures: dict[str, Any], path: Path) -> None:
    """Draw a session.

    Args:
        session: its folder.
        notes: taken beside it.
        figures: what it came to.
        path: PNG to write.
    """
    begun_s = notes.lines[0]["at"]
    ended = [event.at.timestamp() for event in Reader(session).events() if event.kind == "recorded" and event.complete]
    samples = [line for line in notes.of("sample") if line["rss_mb"]]
    figure, (images, memory) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 5.5), layout="constrained")
    hours = [(at - begun_s) / 3600 for at in ended]
    images.step(hours, range(1, len(hours) + 1), where="post", color="tab:blue")
    images.set_ylabel("images complete")
    memory.plot([(line["at"] - begun_s) / 3600 for line in samples], [line["rss_mb"] for line in samples], ".", ms=2)
    memory.set_ylabel("memory of the process, MB")
    memory.set_ylim(bottom=0)
    memory.set_xlabel("hours (vertical lines: faults from outside)")
    for axis in (images, memory):
        for line in notes.of("fault"):
            axis.axvline((line["at"] - begun_s) / 3600, color="tab:red", lw=0.5, alpha=0.5)
    images.set_title(
        f"{figures['rig']} rig: {figures['complete']} of {figures['images']} images, "
        f"{len(figures['clips_lost'])} clips lost, {figures['skipped']} skipped, "
        f"{figures['images_recorded_again']} recorded again;\n{len(notes.of('fault'))} faults from outside, "
        f"{figures['devices_lost']} losses of devices, {figures['processes']} processes",
        fontsize=9,
    )
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
