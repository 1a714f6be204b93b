"""`natadv papers rain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from natadv.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from natadv.papers.rain_tables.tables import RainRequest

_TABLES, _FIGURES = range(1, 8), (4, 6)
_ABOUT = (
    "1: shift alone, 2: down-sampling alone, 3: attacks by gradients, 4: black boxes, 5: attacks through the mean of "
    "passes, 6: RAIN's orders, 7: shares of the shift; repeatable."
)
_FRONTIER = "rain.pt of a network to compare by cost, or bicubic; repeatable. Takes the place of an earlier frontier."
_ROWS = "CNN-only, RAIN, PixelDef, RandP&R, Madry, FeatDn, RAIN-AT, RandP&R-AT, or as the table's page names them"
_COLUMNS = "clean, fgsm, pgd, cw, deepfool, ead, zoo, nes, rays, eot-pgd-2 and so on, as the table's page names them"
_RAIN = "rain.pt tuned for it; repeated, others tuned at another --share or --order, for the rows that have it."


def rain(
    *,
    table: Annotated[list[int] | None, typer.Option(help=_ABOUT)] = None,
    figure: Annotated[list[int] | None, typer.Option(help="4 or 6; repeatable.")] = None,
    frontier: Annotated[list[str] | None, typer.Option(help=_FRONTIER)] = None,
    data: Annotated[str, typer.Option(help="A name or a folder; its test part is used.")],
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    labels: Annotated[Path | None, typer.Option(help="Names of NIPS-2017's 1001 classes, one a line.")] = None,
    model: Annotated[str, typer.Option(help="The bare classifier: checkpoint.pt, NAME.onnx or a timm name.")],
    tuned: Annotated[list[Path] | None, typer.Option("--rain", help=_RAIN)] = None,
    madry: Annotated[str | None, typer.Option(help="A classifier trained with --pgd.")] = None,
    denoised: Annotated[str | None, typer.Option(help="One with feature denoising, trained so too.")] = None,
    rain_at: Annotated[Path | None, typer.Option(help="rain.pt tuned for --madry.")] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these columns: {_COLUMNS}; repeatable.", show_default="all of the table"),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these rows: {_ROWS}; repeatable.", show_default="all there are models for"),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(min=3, help="An image's limit in zoo, nes and rays; numbers say so.", show_default="the paper's"),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="So many images, drawn by seed.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of what is done already, image by image.")] = Path("runs/rain"),
    results: Annotated[Path, typer.Option(help="Where results are kept, a folder a paper.")] = Path("results"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace numbers that rest on more images too.")] = False,
) -> None:
    """Run tables and figures of "RAIN" and write results/rain: ours beside the paper's.

    Numbers of a table's other rows, attacks and data stay; those of another model in the same place do not. Stopped,
    the same command goes on where it was.
    """
    from natadv.errors import ConfigError

    wanted = [("table", number, _TABLES) for number in table or ()] + [("figure", n, _FIGURES) for n in figure or ()]
    if not wanted and not frontier:
        raise ConfigError("name a --table, a --figure or a --frontier")
    for kind, number, known in wanted:
        if number not in known:
            raise ConfigError(f"--{kind} {number}: not one of {', '.join(map(str, known))}")

    import torch

    from natadv.attacks.suite import setting
    from natadv.data.load import load_test
    from natadv.papers.rain_tables.rows import Models, own_networks
    from natadv.papers.rain_tables.tables import RainRequest, check_tables
    from natadv.training.device import choose_device

    if threads is not None:
        torch.set_num_threads(threads)
    for name in attack or ():
        if name != "clean":
            setting(name)
    usual, others = (tuned[0], tuned[1:]) if tuned else (None, [])
    request = RainRequest(
        data=load_test(data, root, labels),
        models=Models(model, _text(usual), madry, denoised, _text(rain_at), own_networks(others)),
        cache=cache,
        count=count,
        columns=tuple(attack) if attack else None,
        only=tuple(row) if row else None,
        seed=seed,
        batch_size=batch_size,
        device=choose_device(device),
        results=results / "rain",
        queries=queries,
    )
    check_tables(table or (), request)
    for kind, number, _ in wanted:
        (_draw if kind == "figure" else _tabulate)(request, number, results / "rain", replace)
    if frontier:
        _compare(request, frontier, results / "rain", replace)


def _tabulate(request: "RainRequest", number: int, folder: Path, replace: bool) -> None:
    from natadv.papers.one_by_one import write_one_by_one
    from natadv.papers.rain import TITLES
    from natadv.papers.rain_tables.tables import numbers
    from natadv.progress import counted

    with counted("attack", "images") as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=what)

        found = numbers(number, request, report)
        write_one_by_one(found, folder, number, TITLES[number], replace=replace)


def _compare(request: "RainRequest", networks: list[str], folder: Path, replace: bool) -> None:
    from natadv.papers.rain_tables.frontier import TITLE, draw_frontier
    from natadv.papers.results import check_smaller, write_figure
    from natadv.progress import counted

    with counted("attack", "images") as bar:
        task = bar.add_task("", total=None)
        png, numbers = draw_frontier(
            request,
            networks,
            lambda what, done, total: bar.update(task, completed=done, total=total, description=what),
        )
    if not replace:
        check_smaller(folder / "frontier.csv", numbers)
    write_figure(folder, "frontier", TITLE, png, numbers)
    typer.echo(folder / "frontier.png")


def _draw(request: "RainRequest", number: int, folder: Path, replace: bool) -> None:
    from importlib import import_module

    from natadv.papers.results import check_smaller, read_numbers, write_figure

    module, name = import_module(f"natadv.papers.rain_tables.figure_{number}"), f"figure-{number}"
    kept = folder / f"{name}.csv"
    png, numbers = module.draw_figure(request, read_numbers(kept) if kept.exists() else ())
    if not replace:
        check_smaller(kept, numbers)
    write_figure(folder, name, module.TITLE, png, numbers)
    typer.echo(folder / f"{name}.png")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
