"""`natadv capture`: record sessions on a rig, scan them with a model, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from natadv.errors import ConfigError

if TYPE_CHECKING:
    from capture.archive import Archive
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
