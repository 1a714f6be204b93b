"""`natadv papers`: run a paper's tables and figures."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from natadv.papers.advdrop_cli import advdrop
from natadv.papers.deployed_cli import deployed
from natadv.papers.detection_cli import detection
from natadv.papers.rain_cli import rain
from natadv.papers.rdba_cli import rdba
from natadv.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from natadv.papers.number import Number
    from natadv.papers.request import Request

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command("rain")(rain)
app.command("advdrop")(advdrop)
app.command("deployed")(deployed)
app.command("rdba")(rdba)
app.command("detection")(detection)

_TABLES = (1, 2, 3, 4, 5, 6, 7)
_FIGURES = (4, 6, 7)
_WHOLE = (1, 5, 6)
"""Tables whose rows are compared with each other, and so come from one run."""
_MANY_GENERATORS = {("table", 1), ("table", 6), ("figure", 4), ("figure", 7)}


@app.callback()
def _papers() -> None:
    """Run a paper's tables and figures: ours beside theirs."""


@app.command()
def advrd(
    *,
    table: Annotated[list[int] | None, typer.Option(help="1 to 7; repeatable.")] = None,
    figure: Annotated[list[int] | None, typer.Option(help="4, 6 or 7; repeatable.")] = None,
    data: Annotated[str | None, typer.Option(help="A name or a folder, as NIPS-2017's; its test part is used.")] = None,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    labels: Annotated[Path | None, typer.Option(help="Names of NIPS-2017's 1001 classes, one a line.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="NAME.onnx, checkpoint.pt or a timm name; repeatable.")
    ] = None,
    surrogate: Annotated[str | None, typer.Option(help="Another, whose gradients table 3's attacks follow.")] = None,
    hardened: Annotated[
        str | None, typer.Option(help="Table 5: the hardened model; --model is the standard one.")
    ] = None,
    session: Annotated[list[str] | None, typer.Option(help="[NAME=]FOLDER of a scanned session; repeatable.")] = None,
    scan: Annotated[
        list[str] | None, typer.Option(help="First digits of the scanning model's digest; repeatable.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many images, drawn by seed.", show_default="all")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Side to attack at, px.", show_default="the model's")] = None,
    generator: Annotated[
        list[str] | None,
        typer.Option(
            help="optics, optics:PRESET[@LIGHT], gan or a generator.pt; repeatable for 1, 6, figures 4, 7.",
            show_default="optics",
        ),
    ] = None,
    restarts: Annotated[int, typer.Option(min=1, help="N: codes that an image is tried with.")] = 25,
    steps: Annotated[int, typer.Option(min=1, help="T: checks of a code in the white box.")] = 10,
    step_size: Annotated[float, typer.Option(help="By which each entry of a code moves.")] = 0.05,
    box: Annotated[
        str, typer.Option(help="white or black, where the paper does not say: table 5, figure 6.")
    ] = "white",
    pairs: Annotated[
        Path | None, typer.Option(help="Tables 1, 6, figure 4: folder of real clean and wet photographs.")
    ] = None,
    extractor: Annotated[
        Path | None, typer.Option(help="Tables 1 and 6: NAME.onnx, whose features are compared.")
    ] = None,
    crops: Annotated[int, typer.Option(min=1, help="Tables 1, 6, figure 4: cut from each pair.")] = 8,
    splits: Annotated[int, typer.Option(min=1, help="Tables 1 and 6: random halvings.")] = 10,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
    results: Annotated[Path, typer.Option(help="Where results are kept, a folder a paper.")] = Path("results"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace numbers that rest on more images too.")] = False,
) -> None:
    """Run tables and figures of "Adversarial Raindrops" and write results/advrd: ours beside the paper's.

    Tables 2, 3, 4 and 7 are written number by number, and keep what other runs measured in other rows and columns;
    tables 1, 5 and 6 and the figures are of one run, and replace the last when it is done. What rests on more images
    stays.
    """
    from natadv.errors import ConfigError

    wanted = [("table", number, _TABLES) for number in table or ()] + [("figure", n, _FIGURES) for n in figure or ()]
    if not wanted:
        raise ConfigError("name a --table or a --figure")
    for kind, number, known in wanted:
        if number not in known:
            raise ConfigError(f"--{kind} {number}: not one of {', '.join(map(str, known))}")
    if box not in ("white", "black"):
        raise ConfigError(f"--box {box}: expected white or black")
    if not step_size > 0:
        raise ConfigError(f"--step-size {step_size}: expected more than 0")

    import torch

    from natadv.data.load import load_test
    from natadv.papers.drops import DropAttack
    from natadv.papers.request import Request
    from natadv.training.device import choose_device

    if threads is not None:
        torch.set_num_threads(threads)
    generators = tuple(generator or ("optics",))
    for kind, number, _ in wanted:
        if len(generators) > 1 and (kind, number) not in _MANY_GENERATORS:
            raise ConfigError(f"--{kind} {number} takes one --generator")
    request = Request(
        data=load_test(data, root, labels) if data else None,
        count=count,
        models=tuple(model or ()),
        surrogate=surrogate,
        hardened=hardened,
        sessions=_sessions(session or ()),
        scans=tuple(scan or ()),
        size_px=size,
        drops=DropAttack(generators[0], restarts, steps, step_size, seed, batch_size),
        generators=generators,
        box="white" if box == "white" else "black",
        seed=seed,
        batch_size=batch_size,
        device=choose_device(device),
        pairs=pairs,
        extractor=extractor,
        crops=crops,
        splits=splits,
    )
    for kind, number, _ in wanted:
        run = _run_table if kind == "table" else _run_figure
        try:
            run(request, number, results / "advrd", replace)
        except KeyboardInterrupt:
            left = "is as it was" if kind == "figure" or number in _WHOLE else "has the numbers said above"
            typer.echo(f"stopped; {kind} {number} {left}", err=True)
            raise typer.Exit(130) from None


def _sessions(given: Iterable[str]) -> dict[str, Path]:
    """Return folders by name; a folder without a name before it has its own."""
    from natadv.errors import ConfigError

    found: dict[str, Path] = {}
    for entry in given:
        name, sign, folder = entry.partition("=")
        if not sign:
            name, folder = Path(entry).resolve().name, entry
        if name in found:
            raise ConfigError(f"--session {entry}: a second one named {name}")
        found[name] = Path(folder)
    return found


def _run_table(request: "Request", number: int, folder: Path, replace: bool) -> None:
    from importlib import import_module

    from natadv.papers.results import check_smaller, write_table

    module, name = import_module(f"natadv.papers.advrd_tables.table_{number}"), f"table-{number}"
    whole = number in _WHOLE
    measured: list[Number] = []
    for found in module.numbers(request):
        measured.append(found)
        kept: tuple[Number, ...] = ()
        if not whole:
            kept = write_table(folder, name, module.TITLE, [found], replace=replace)
        elif not replace:
            check_smaller(folder / f"{name}.csv", [found])
        note = f"; kept {kept[0].ours:.4g} of {kept[0].n} images, see --replace" if kept else ""
        paper = "" if found.paper is None else f" (paper {found.paper:g})"
        typer.echo(f"{found.row}, {found.column}: {found.ours:.4g}, n {found.n}{paper}{note}", err=True)
    if whole:
        write_table(folder, name, module.TITLE, measured, whole=True)
    typer.echo(folder / f"{name}.md")


def _run_figure(request: "Request", number: int, folder: Path, replace: bool) -> None:
    from importlib import import_module

    from natadv.papers.results import check_smaller, write_figure

    module, name = import_module(f"natadv.papers.advrd_tables.figure_{number}"), f"figure-{number}"
    png, numbers = module.draw_figure(request)
    if not replace:
        check_smaller(folder / f"{name}.csv", numbers)
    write_figure(folder, name, module.TITLE, png, numbers)
    typer.echo(folder / f"{name}.png")
