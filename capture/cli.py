"""`natadv capture`: record sessions on a rig, scan them with a model, report."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate

if TYPE_CHECKING:
    from capture.archive import Archive
    from capture.scanner import Progress
    from rigs.rig import RigSettings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _capture() -> None:
    """Record sessions on a rig, find the frames that fool a model, report."""


@app.command()
def run(
    rig: Annotated[Path, typer.Argument(help="A rig's YAML file, or `simulated`, which comes with natadv.")],
    images: Annotated[Path, typer.Argument(help="Folder of images, one sub-folder a label.")],
    out: Annotated[Path, typer.Option(help="The session's folder; new, or an old one with --resume.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a session that was stopped.")] = False,
    purpose: Annotated[
        str, typer.Option(help="`training`, or `test`: its hits are then refused as training data.")
    ] = "training",
    seed: Annotated[int, typer.Option(help="Of trajectories, choice of images and simulated chance.")] = 0,
    count: Annotated[int | None, typer.Option(min=1, help="Record so many images, chosen by seed.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a clip.")] = 5.0,
    spray: Annotated[float, typer.Option(min=0.0, help="Seconds of spraying before each clip.")] = 1.0,
) -> None:
    """Record one five-second clip through moving wet glass for each image, and its dry control."""
    from capture.archive import open_archive
    from capture.session import Plan, start_session
    from rigs.rig import load_rig

    settings = load_rig(rig)
    if purpose not in ("training", "test"):
        raise ConfigError(f"--purpose {purpose}: expected training or test")
    if resume and out.exists():
        archive = open_archive(out)
        if archive.settings.rig != settings.model_dump(mode="json"):
            raise ConfigError(f"{rig}: not the rig that {out} was begun on; give that one, or begin a new session")
        found = archive.recover()
        if found:
            typer.echo(f"{len(found)} finished clips had not been noted; they are kept", err=True)
    else:
        plan = Plan(images, "test" if purpose == "test" else "training", seed, count, seconds, spray_s=spray)
        archive = start_session(out, settings, plan)
    try:
        _record(archive, settings)
    except KeyboardInterrupt:
        typer.echo(f"stopped; what is complete is kept, and --resume goes on: --out {out} --resume", err=True)
        raise typer.Exit(130) from None
    items = len(archive.settings.items)
    typer.echo(f"{items} images recorded in {out}; next: natadv capture scan {out} BUNDLE")


@app.command()
def scan(
    session: Annotated[Path, typer.Argument(help="A session's folder.")],
    bundle: Annotated[Path, typer.Argument(help="Folder made by `natadv export`.")],
    *,
    device: Annotated[Literal["auto", "tensorrt", "cuda", "cpu"], typer.Option(help="What to run on.")] = "auto",
    allow_cpu: Annotated[bool, typer.Option("--allow-cpu", help="Run on the CPU where the GPU cannot be had.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Frames of one run of the model.")] = 16,
    workers: Annotated[int | None, typer.Option(min=1, help="Clips in work at once; else one a core.")] = None,
    hits_per_clip: Annotated[int, typer.Option(min=2, help="At most so many hits of a clip kept as pictures.")] = 20,
    force: Annotated[bool, typer.Option("--force", help="Scan again even if the scan is up to date.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the clips with their checksums first.")] = False,
) -> None:
    """Find the frames of a session that fool a model; the control must be right for the drops to be to blame."""
    from capture.archive import open_archive
    from capture.scan import HITS, scan_session
    from edge.classifier import Classifier

    archive = open_archive(session)
    command = shlex.join(["natadv", *sys.argv[1:]])
    # The scan gives each core a clip of its own: a thread per run of the model is what is left for it.
    with Classifier(bundle, device=device, allow_cpu=allow_cpu, threads=1) as classifier, _scan_progress() as progress:
        summary = scan_session(
            archive,
            classifier,
            batch=batch,
            workers=workers,
            hits_per_clip=hits_per_clip,
            force=force,
            verify=verify,
            command=command,
            progress=progress,
        )
    share = Rate(summary.images.hits, summary.images.total)
    hits = archive.scan_folder(summary.model.sha256) / HITS
    typer.echo(f"attack success rate {share} of images; {summary.wet_frames.hits} hits, pictures in {hits}")
    typer.echo(f"{summary.frames} frames at {summary.frames_per_s:.0f} fps, {summary.times_real_time:.1f} x real time")


@app.command()
def report(
    session: Annotated[Path, typer.Argument(help="A scanned session's folder.")],
    *,
    scans: Annotated[
        list[str] | None,
        typer.Option("--scan", help="First digits of a model's SHA-256; again for more. Else all, oldest first."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page; else report.html in the session's folder.")] = None,
) -> None:
    """Write a session's page: success rates, film strips, charts, all settings; and the same as CSV."""
    from capture.archive import open_archive
    from capture.report import write_report

    typer.echo(f"report: {write_report(open_archive(session), scans=scans or (), out=out)}")


@contextmanager
def _scan_progress() -> Iterator["Progress"]:
    from rich import progress as bars

    columns = (
        bars.TextColumn("scanning"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("frames"),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, transient=True) as shown:
        task = shown.add_task("scanning", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _record(archive: "Archive", settings: "RigSettings") -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from capture.session import record_session

    missing = len(archive.missing())
    total = 2 * len(archive.settings.items)
    columns = (
        TextColumn("recording"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("clips"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[label]}"),
    )
    with settings.open() as rig, Progress(*columns, transient=True) as progress:
        task = progress.add_task("recording", total=total, completed=total - missing, label="")
        record_session(
            archive,
            rig,
            progress=lambda item, kind: progress.update(task, advance=1, label=f"{item.label}/{item.source}"),
        )
