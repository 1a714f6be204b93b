"""`natadv capture`: record sessions on a rig, scan them with a model, report."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate

if TYPE_CHECKING:
    from capture.console.console import Mode
    from capture.scanner import Progress
    from rigs.archive import Archive

app = typer.Typer(add_completion=False, no_args_is_help=True)


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
        str | None,
        typer.Option(
            help="`training`, or `test`: its hits are then refused as training data.", show_default="training"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of trajectories, drops and choice of images.", show_default="training 0, test 1"),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Record so many images, chosen by seed.", show_default="all")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Length of a clip.", show_default="5")] = None,
    spray: Annotated[
        float | None,
        typer.Option(min=0.0, help="Seconds of spraying before each clip: more, wetter.", show_default="1"),
    ] = None,
    scans: Annotated[
        list[Path] | None,
        typer.Option("--scan", help="Bundle that looks at the clips as they come; again for more."),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="YAML: when to record again, how long to wait for devices, whom to tell."),
    ] = None,
    retry_skipped: Annotated[
        bool, typer.Option("--retry-skipped", help="With --resume: try again what was given up.")
    ] = False,
    page: Annotated[
        str | None,
        typer.Option("--page", metavar="[HOST:]PORT", help="Serve the operator's page, at http://127.0.0.1:PORT/."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--page-token-file", help="What visitors of the page must know; 16 signs or more.")
    ] = None,
    cert: Annotated[Path | None, typer.Option("--page-cert", help="PEM certificate: serve the page by TLS.")] = None,
    key: Annotated[Path | None, typer.Option("--page-key", help="PEM key of that certificate.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="With --page: show what the camera sees, until start is pressed there.")
    ] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not look whether the bench is where it was calibrated.")
    ] = False,
) -> None:
    """Record one five-second clip through moving wet glass for each image, and its dry control."""
    from capture.console.beside import beside
    from capture.control import Halted
    from capture.plan import check_plan, plan_of, start_session
    from capture.restart import restarted
    from capture.rules import Rules
    from capture.running import Run, tidy
    from capture.signals import Signals
    from edge.page.address import listen, page_options
    from rigs.archive import open_archive
    from rigs.rig import load_rig
    from rigs.settings import load_settings

    served = page_options(page, token_file=token_file, cert=cert, key=key, bundles=None)
    if wait and served is None:
        raise ConfigError("--wait: start is pressed on the page; say --page too")
    if served is not None:
        listen(served).close()  # an address that cannot be had is said before a folder is made
    settings, asked = load_rig(rig), load_settings(rules, Rules) if rules else Rules()
    plan = plan_of(images, purpose=purpose, seed=seed, count=count, clip_s=seconds, spray_s=spray, checks=asked.checks)
    going_on = resume and out.exists()
    mode: Mode = "wait" if wait and not restarted() else "record"
    try:
        with Signals() as signals, beside(settings, served, _say, mode=mode) as console:
            running = Run(settings, asked, console, signals)
            if going_on:
                archive = open_archive(out)
                given = {
                    "purpose": purpose,
                    "seed": seed,
                    "count": count,
                    "clip_s": seconds,
                    "spray_s": spray,
                    "checks": asked.checks,
                }
                check_plan(archive, settings, plan, {name for name, value in given.items() if value is not None})
            else:
                if resume:
                    _say(f"{out}: no session there yet; a new one begins")
                if not no_check:
                    running.look()  # before there is a folder; whoever begins a session is there to mend the bench
                archive = start_session(out, settings, plan)
            with archive.recording():
                tidy(archive)
                if retry_skipped:
                    _say(f"{len(archive.retry_skipped())} skipped images are tried again")
                outcome = running.record(archive, scans or [], look=going_on and not no_check)
    except KeyboardInterrupt:
        _say(f"stopped; what is complete is kept, and --resume goes on: --out {out} --resume")
        raise typer.Exit(130) from None
    except Halted as halted:  # while the bench was looked at
        _say(f"{halted}; look at the rig; nothing was recorded")
        raise typer.Exit(1) from None
    if outcome != "complete":
        typer.echo(f"{outcome}: what is complete is kept, and --resume goes on: --out {out} --resume", err=True)
        raise typer.Exit(1)
    _say_complete(archive)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def console(
    context: typer.Context,
    rig: Annotated[Path, typer.Argument(help="A rig's YAML file, or `simulated`, which comes with natadv.")],
    page: Annotated[str, typer.Option("--page", metavar="[HOST:]PORT", help="Where the page is served.")] = "8080",
    token_file: Annotated[
        Path | None, typer.Option("--page-token-file", help="What visitors of the page must know; 16 signs or more.")
    ] = None,
    cert: Annotated[Path | None, typer.Option("--page-cert", help="PEM certificate: serve the page by TLS.")] = None,
    key: Annotated[Path | None, typer.Option("--page-key", help="PEM key of that certificate.")] = None,
) -> None:
    """Look at a rig on the operator's page: focus, light, outline.

    With the images and options of `capture run` after RIG, that session begins when start is pressed on the page.
    """
    from capture.console.beside import beside
    from capture.console.preview import chart, opened, preview
    from capture.signals import Signals
    from edge.page.address import page_options
    from rigs.rig import load_rig

    if context.args:
        given = {"--page": page, "--page-token-file": token_file, "--page-cert": cert, "--page-key": key}
        options = [str(word) for pair in given.items() if pair[1] is not None for word in pair]
        run_command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
        words = [str(rig), *context.args, *options, "--wait"]
        # Out of its standalone mode a command returns its exit code instead of exiting with it.
        raise typer.Exit(run_command.main(words, "natadv capture run", standalone_mode=False) or 0)
    settings = load_rig(rig)
    served = page_options(page, token_file=token_file, cert=cert, key=key, bundles=None)
    with suppress(KeyboardInterrupt), Signals(), beside(settings, served, _say, mode="look") as shown:
        if shown is not None:
            preview(opened(settings, shown), shown, chart(settings.screen.chart_px))


@app.command()
def watch(
    session: Annotated[Path, typer.Argument(help="A session's folder.")],
    *,
    once: Annotated[bool, typer.Option("--once", help="Show how it stands now, and end.")] = False,
) -> None:
    """Show how a session stands, while another process records it, or after."""
    from rich.console import Console

    from capture.watch import watch as look

    look(session, Console(highlight=False), follow=not once)


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
    verify: Annotated[bool, typer.Option("--verify", help="Scan again, comparing clips with checksums.")] = False,
) -> None:
    """Find the frames of a session that fool a model; the control must be right for the drops to be to blame."""
    from capture.outcome import first_frame_share
    from capture.scan import HITS, known_scan, scan_session
    from edge.classifier import Classifier
    from edge.noise import SEED_BYTES
    from rigs.archive import open_archive

    archive = open_archive(session)
    command = shlex.join(["natadv", *sys.argv[1:]])
    # The scan gives each core a clip of its own: a thread per run of the model is what is left for it.
    # And a randomised model's noise is the same in every scan, so that the same clips have the same hits.
    opened = Classifier(bundle, device=device, allow_cpu=allow_cpu, threads=1, noise_seed=bytes(SEED_BYTES))
    with opened as classifier, _scan_progress() as progress:
        known = None if force or verify else known_scan(archive, classifier.digest, hits_per_clip)
        if known:
            typer.echo("scanned before with this model: the figures of then; --force scans again", err=True)
        summary = known or scan_session(
            archive,
            classifier,
            batch=batch,
            workers=workers,
            hits_per_clip=hits_per_clip,
            force=True,
            verify=verify,
            command=command,
            progress=progress,
        )
    share = Rate(summary.images.hits, summary.images.total)
    hits = archive.scan_folder(summary.model.sha256) / HITS
    if archive.placed:
        placed = {item.number for item in archive.settings.items if item.drops_sha256}
        found = first_frame_share(one for one in summary.items if one.item in placed)
        typer.echo(f"drops as they were found, in the first frame: {Rate(found.hits, found.total)} fool")
    if missing := len({item.number for item, _ in archive.missing()}):
        typer.echo(f"{missing} of {len(archive.settings.items)} images are still to be recorded", err=True)
    kept = f"pictures in {hits}" if summary.wet_frames.hits else "so nothing to train on; spray longer, or more images"
    typer.echo(f"attack success rate {share} of images; {summary.wet_frames.hits} hits, {kept}")
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
    from capture.report import write_report
    from rigs.archive import open_archive

    typer.echo(f"report: {write_report(open_archive(session), scans=scans or (), out=out)}")


@contextmanager
def _scan_progress() -> Iterator["Progress"]:
    from natadv.progress import counted

    with counted("scanning", "frames") as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _say(words: str) -> None:
    typer.echo(words, err=True)


def _say_complete(archive: "Archive") -> None:
    from capture.journal import Journal

    lost = sum(record.lost for record in archive.records())
    said = f", {lost} frames lost by the camera" if lost else ""
    if skipped := len(archive.skipped()):
        said += f", {skipped} images skipped (natadv capture watch {archive.folder} says why)"
    coverage = Journal(archive.folder).snapshot().coverage
    if coverage is not None and not coverage.enough:
        said += f"; {coverage.verdict}"
    complete = len(archive.complete_items())
    typer.echo(
        f"{complete} images recorded in {archive.folder}{said}; next: natadv capture scan {archive.folder} BUNDLE"
    )
