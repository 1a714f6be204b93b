"""`natadv rig`: find a bench's devices, write the file that describes it, calibrate it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _rig() -> None:
    """Find a bench's devices, write the file that describes it, calibrate it."""


@app.command(name="list")
def list_devices(
    cti: Annotated[
        list[Path] | None,
        typer.Option(help="A GenTL producer whose cameras are listed too; again for more."),
    ] = None,
) -> None:
    """List cameras, serial ports and monitors, each with the lines of a rig's file that use it."""
    import yaml

    from rigs.discovery import Missed, find_all

    count = 0
    for one in find_all(cti or ()):
        if isinstance(one, Missed):
            typer.echo(f"not looked for: {one.what}: {one.why}", err=True)
            continue
        count += 1
        typer.echo(f"# {one.name}{f'; {one.note}' if one.note else ''}")
        typer.echo(yaml.safe_dump({one.device: one.block}, sort_keys=False, allow_unicode=True))
    typer.echo(f"{count} devices; natadv rig new FILE writes a rig's file with them", err=True)


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The rig's YAML file; must not exist.")],
    *,
    name: Annotated[str | None, typer.Option(help="What the rig is called.")] = None,
    camera: Annotated[str | None, typer.Option(help="Driver of the camera.")] = None,
    screen: Annotated[str | None, typer.Option(help="Driver of the screen.")] = None,
    stage: Annotated[str | None, typer.Option(help="Driver of the stage.")] = None,
    sprayer: Annotated[str | None, typer.Option(help="Driver of the sprayer.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting, as camera.width_px=1280; again for more.", metavar="DEVICE.KEY=VALUE"),
    ] = None,
) -> None:
    """Write a rig's file by asking; what the options say already is not asked."""
    from natadv.durable import replace_file
    from natadv.errors import ConfigError
    from rigs.writing import rig_text

    if file.exists():
        raise ConfigError(f"{file}: exists already; name another file, or change that one")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"{file}: there is no folder {file.absolute().parent}")
    kinds = {"camera": camera, "screen": screen, "stage": stage, "sprayer": sprayer}
    title = name or _ask("What is the rig called?", file.stem, "--name")
    blocks = _blocks(kinds, _given(settings or []))
    replace_file(file, rig_text(title, blocks, where=str(file)).encode())
    typer.echo(f"{file}: written; look through it, then: natadv rig calibrate {file}")


@app.command(context_settings={"ignore_unknown_options": True})
def loopback(
    command: Annotated[list[str], typer.Argument(help="What to run, as -- natadv capture run loopback IMAGES ...")],
) -> None:
    """Run a command with the servers of rigs/loopback.yaml: real drivers, on a machine with nothing attached."""
    from rigs.loopback import loopback as servers
    from rigs.loopback import run

    with servers() as names:
        code = run(command, names)
    raise typer.Exit(code)


def _given(settings: list[str]) -> dict[str, dict[str, str]]:
    """Return what `--set` says, by device and key, as it was typed."""
    from natadv.errors import ConfigError
    from rigs.drivers import DRIVERS

    given: dict[str, dict[str, str]] = {device: {} for device in DRIVERS}
    for entry in settings:
        key, equals, value = entry.partition("=")
        device, dot, setting = key.partition(".")
        if not (equals and dot) or device not in given:
            raise ConfigError(f"--set {entry}: expected DEVICE.KEY=VALUE, DEVICE one of {', '.join(given)}")
        given[device][setting] = value
    return given


def _blocks(kinds: dict[str, str | None], given: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Return all blocks of the file, asking for what is missing."""
    from natadv.errors import ConfigError
    from rigs.drivers import AROUND_ANOTHER, DRIVERS
    from rigs.writing import answer, questions

    blocks: dict[str, dict[str, Any]] = {}
    for device, chosen in kinds.items():
        drivers = [kind for kind in DRIVERS[device] if kind != AROUND_ANOTHER]
        if chosen == AROUND_ANOTHER:
            raise ConfigError(f"--{device} {chosen}: is around another driver's block; copy that of rigs/loopback.yaml")
        kind = chosen or _ask(f"{device}: which driver? ({', '.join(drivers)})", drivers[0], f"--{device}")
        block: dict[str, Any] = {"kind": kind}
        for setting, text in given[device].items():
            block[setting] = answer(device, kind, setting, text)
        asked = [one for one in questions(device, kind) if one.name not in block]
        there = _there(device, kind) if asked else {}
        for one in asked:
            block[one.name] = _answered(device, kind, one.name, one.meaning, there.get(one.name))
        if there and all(block[one.name] == there[one.name] for one in asked if one.name in there):
            block = {**there, **block}  # the device that was proposed, so at what is known of it
        blocks[device] = block
    return blocks


def _answered(device: str, kind: str, name: str, meaning: str, proposed: Any) -> Any:
    """Ask for a setting until the answer is one."""
    from natadv.errors import ConfigError
    from rigs.writing import answer

    question = f"{device}: {name}?{f' ({meaning})' if meaning else ''}"
    while True:
        text = _ask(question, None if proposed is None else str(proposed), f"--set {device}.{name}=VALUE")
        try:
            return answer(device, kind, name, text)
        except ConfigError as error:
            typer.echo(str(error), err=True)


def _there(device: str, kind: str) -> dict[str, Any]:
    """Return the block of the first device that is plugged in and has this driver, as what is proposed."""
    if not sys.stdin.isatty():
        return {}
    from rigs.discovery import Found, find_all

    found: list[Found] = [one for one in find_all() if isinstance(one, Found)]
    return next((one.block for one in found if (one.device, one.block["kind"]) == (device, kind)), {})


def _ask(question: str, default: str | None, option: str) -> str:
    """Ask whoever sits there.

    Raises:
        ConfigError: if nobody does.
    """
    from natadv.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError(f"nobody to ask: {question.partition(' (')[0]} Say it by {option}")
    return str(typer.prompt(question, default=default))


@app.command()
def calibrate(
    rig: Annotated[Path, typer.Argument(help="A rig's YAML file.")],
    out: Annotated[
        Path | None, typer.Option(help="The calibration; else the file that the rig's names, or RIG.calibration.yaml.")
    ] = None,
    valid_days: Annotated[int, typer.Option(min=0, help="Sessions warn when it is older.")] = 30,
    moved_px: Annotated[
        float, typer.Option(min=0.05, help="A session is refused where markers are further off than that.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the moments of flashes, and of random colours.")] = 0,
) -> None:
    """Measure where the screen lies in the frames, and whether light, colours, timing and focus are fit for use."""
    from capture.calibration.page import write_page
    from capture.calibration.run import STEPS
    from capture.calibration.run import calibrate as measure
    from natadv.progress import counted
    from rigs.calibration import write_calibration
    from rigs.rig import load_rig

    settings = load_rig(rig)
    path = out or settings.calibration_file or rig.with_name(f"{rig.stem}.calibration.yaml")
    with counted("calibrating", "steps") as bar:
        task = bar.add_task("", total=len(STEPS))
        done = measure(
            settings,
            seed=seed,
            valid_days=valid_days,
            moved_px=moved_px,
            progress=lambda step: bar.update(task, completed=STEPS.index(step), description=step),
        )
    page = path.with_suffix(".html")
    write_page(page, done, str(rig))
    write_calibration(path, done.calibration)
    for line in done.advice:
        typer.echo(line, err=True)
    error = done.calibration.measure("reprojection error")
    typer.echo(f"calibrated: reprojection {error.value:.3f} px; {path}, with pictures in {page}")
    if settings.calibration_file is None or path.resolve() != settings.calibration_file.resolve():
        typer.echo(f"for sessions to use it, {settings.file} needs the line `calibration: {path.name}`", err=True)
