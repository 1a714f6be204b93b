"""`natadv papers rdba`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from natadv.data_help import DATA
from natadv.labels import split_labels
from natadv.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from natadv.papers.number import Number
    from natadv.papers.rdba_tables.request import RdbaRequest

_TABLES, _FIGURES = (1, 2), (1, 3, 5, 6, 7, 8)


def rdba(
    *,
    table: Annotated[list[int] | None, typer.Option(help="1 (triggers) or 2 (densities); repeatable.")] = None,
    figure: Annotated[list[int] | None, typer.Option(help="1 (with 4), 3, 5, 6, 7 or 8; repeatable.")] = None,
    stealth: Annotated[bool, typer.Option("--stealth", help="FID and a detector's AUC, a row a trigger.")] = False,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="The inspection's verdict on table 1's models, and STRIP as a filter.")
    ] = False,
    unstated: Annotated[
        bool, typer.Option("--unstated", help="RDBA with each part that the paper leaves open changed.")
    ] = False,
    data: Annotated[str, typer.Option(help=f"{DATA}.")],
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    classes: Annotated[
        str | None,
        typer.Option(help="LABEL,LABEL,... in the order of their names; the first is the target.", show_default="all"),
    ] = None,
    model: Annotated[str, typer.Option(help="A timm name; the paper's are resnet18 and vgg16.")] = "resnet18",
    size: Annotated[int, typer.Option(min=16, help="Side of all images, px; the paper's is 244.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 12,
    optimizer: Annotated[str, typer.Option(help="sgd, as the paper's, or adamw.")] = "sgd",
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 0.01,
    weight_decay: Annotated[float, typer.Option(help="Of weights.")] = 5e-4,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    trigger: Annotated[
        list[str] | None,
        typer.Option(
            help="rdba, blended, badnets, rendered or generated; repeatable.", show_default="rdba blended badnets"
        ),
    ] = None,
    share: Annotated[float, typer.Option(help="Kappa, of the training images that are poisoned.")] = 0.09,
    alpha: Annotated[
        list[float] | None, typer.Option(help="Table 2, figure 6; repeatable.", show_default="0.5 1 2 3 4 5 6")
    ] = None,
    kappa: Annotated[
        list[float] | None, typer.Option(help="Figure 3; repeatable.", show_default="0.02 0.04 0.06 0.08 0.1 0.2 0.5 1")
    ] = None,
    prune: Annotated[
        list[int] | None, typer.Option(help="Figure 7, percent; repeatable.", show_default="0 10 20 30 40 50")
    ] = None,
    tuning: Annotated[int, typer.Option(min=1, help="Figures 5 to 7: epochs of fine-tuning.")] = 10,
    pairs: Annotated[Path | None, typer.Option(help="Table 1: folder of real clean and wet photographs.")] = None,
    session: Annotated[Path | None, typer.Option(help="Table 1: folder of a recorded session.")] = None,
    extractor: Annotated[Path | None, typer.Option(help="--stealth: NAME.onnx, for FID.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of poisoned data and models.")] = Path("runs/rdba"),
    results: Annotated[Path, typer.Option(help="Where results are kept, a folder a paper.")] = Path("results"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace numbers that rest on more images too.")] = False,
) -> None:
    """Run tables and figures of the raindrop backdoor and write results/rdba: ours beside the paper's.

    Every model is kept by what made it: stopped, the same command goes on where it was, and tables share models.
    """
    from natadv.errors import ConfigError

    wanted = [("table", number, _TABLES) for number in table or ()] + [("figure", n, _FIGURES) for n in figure or ()]
    if not (wanted or stealth or inspect or unstated):
        raise ConfigError("name a --table, a --figure, --stealth, --inspect or --unstated")
    for kind, number, known in wanted:
        if number not in known:
            raise ConfigError(f"--{kind} {number}: not one of {', '.join(map(str, known))}")

    import torch

    from natadv.backdoors.named import make_trigger
    from natadv.papers.rdba_tables.bench import Bench
    from natadv.papers.rdba_tables.request import RdbaRequest
    from natadv.recipe_options import checked_recipe
    from natadv.training.device import choose_device
    from natadv.training.progress import on_terminal
    from natadv.training.recipe import Recipe

    if threads is not None:
        torch.set_num_threads(threads)
    triggers = tuple(trigger or ("rdba", "blended", "badnets"))
    for name, settings in [*((name, []) for name in triggers), *(("rdba", [f"alpha={one}"]) for one in alpha or ())]:
        make_trigger(name, settings)
    training: dict[str, Any] = {"epochs": epochs, "optimizer": optimizer, "learning_rate": lr}
    training |= {"weight_decay": weight_decay, "precision": precision}
    checked_recipe(Recipe, {"data": data, "model": model, "size_px": size, **training})
    _check_ranges(prune or (), (share, *(kappa or ())))
    chosen = choose_device(device)
    bench = Bench(
        data=data,
        root=root,
        classes=split_labels(classes),
        model=model,
        size_px=size,
        training={**training, "seed": seed, "threads": threads, "device": device},
        cache=cache,
        share=share,
        seed=seed,
        device=torch.device(chosen),
        reporter=on_terminal,
        notice=lambda line: typer.echo(line, err=True),
    )
    _warn(bench.older)
    request = RdbaRequest(
        bench=bench,
        triggers=triggers,
        alphas=tuple(alpha or (0.5, 1, 2, 3, 4, 5, 6)),
        shares=tuple(kappa or (0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.5, 1)),
        pruned=tuple(prune or (0, 10, 20, 30, 40, 50)),
        epochs=tuning,
        pairs=pairs,
        session=session,
    )
    try:
        for kind, number, _ in wanted:
            (_tabulate if kind == "table" else _draw)(request, number, results / "rdba", replace)
        if stealth:
            _stealth(request, extractor, results / "rdba", replace)
        if inspect:
            _inspected(request, results / "rdba", replace)
        if unstated:
            _unstated(request, results / "rdba", replace)
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on with the models in {cache}", err=True)
        raise typer.Exit(130) from None


def _check_ranges(pruned: "Iterable[int]", shares: "Iterable[float]") -> None:
    from natadv.errors import ConfigError

    for percent in pruned:
        if not 0 <= percent < 100:
            raise ConfigError(f"--prune {percent}: expected 0 to 99 percent")
    for rate in shares:
        if not 0 < rate <= 1:
            raise ConfigError(f"--share and --kappa {rate}: expected more than 0 and at most 1")


def _warn(line: str | None) -> None:
    if line is not None:
        typer.echo(f"warning: {line}", err=True)


def _tabulate(request: "RdbaRequest", number: int, folder: Path, replace: bool) -> None:
    from natadv.papers.rdba import TITLES
    from natadv.papers.rdba_tables import by_setting, table_1

    found = table_1.numbers(request) if number == 1 else by_setting.by_density(request)
    _write(found, folder, f"table-{number}", TITLES[f"table-{number}"], replace)


def _stealth(request: "RdbaRequest", extractor: Path | None, folder: Path, replace: bool) -> None:
    from natadv.papers.rdba import TITLES
    from natadv.papers.rdba_tables import stealth

    _write(stealth.numbers(request, extractor), folder, "stealth", TITLES["stealth"], replace)


def _inspected(request: "RdbaRequest", folder: Path, replace: bool) -> None:
    from natadv.papers.rdba import TITLES
    from natadv.papers.rdba_tables import inspected

    _write(inspected.numbers(request), folder, "inspected", TITLES["inspected"], replace)


def _unstated(request: "RdbaRequest", folder: Path, replace: bool) -> None:
    from natadv.papers.rdba import TITLES
    from natadv.papers.rdba_tables import unstated

    _write(unstated.numbers(request), folder, "unstated", TITLES["unstated"], replace)


def _write(found: "Iterable[Number]", folder: Path, name: str, title: str, replace: bool) -> None:
    """Write each number as it comes, and say it."""
    from natadv.papers.rdba import SECTIONS
    from natadv.papers.results import write_table

    for number in found:
        kept = write_table(folder, name, title, [number], replace=replace, sections=SECTIONS.get(name, ()))
        note = f"; kept {kept[0].ours:.4g} of {kept[0].n} images, see --replace" if kept else ""
        _say(number, note)
    typer.echo(folder / f"{name}.md")


def _say(number: "Number", note: str = "") -> None:
    paper = "" if number.paper is None else f" (paper {number.paper:g})"
    typer.echo(f"{number.row}, {number.column}: {number.ours:.4g}, n {number.n}{paper}{note}", err=True)


def _draw(request: "RdbaRequest", number: int, folder: Path, replace: bool) -> None:
    from natadv.papers.charts import curves
    from natadv.papers.rdba import TITLES
    from natadv.papers.results import check_smaller, write_figure

    for name in ("figure-7", "figure-7-channels") if number == 7 else (f"figure-{number}",):
        if number == 1:
            from natadv.papers.rdba_tables.instances import draw_instances

            png, numbers = draw_instances(request)
        elif number == 8:
            from natadv.papers.rdba_tables.maps import draw_maps

            png, numbers = draw_maps(request)
        else:
            found, across = _curves(request, name)
            numbers = []
            for one in found:
                _say(one)
                numbers.append(one)
            accuracies = any("accuracy" in one.row or one.row == "ATA" for one in numbers)
            up = "attack success rate" + (", accuracy" if accuracies else "") + " (%)"
            png = curves(numbers, across=across, up=up, logarithmic=number == 3)
        if not replace:
            check_smaller(folder / f"{name}.csv", numbers)
        write_figure(folder, name, TITLES[name], png, numbers)
        typer.echo(folder / f"{name}.png")


def _curves(request: "RdbaRequest", name: str) -> "tuple[Iterable[Number], str]":
    """Return a figure's numbers and what its horizontal axis is."""
    if name == "figure-3":
        from natadv.papers.rdba_tables.by_setting import by_share

        return by_share(request), "injection rate kappa"
    from natadv.papers.rdba_tables import repaired

    if name == "figure-7":
        return repaired.by_pruning(request, "weights"), "weights pruned, %"
    if name == "figure-7-channels":
        return repaired.by_pruning(request, "channels"), "channels pruned, %"
    return (repaired.by_trigger if name == "figure-5" else repaired.by_density)(request), "epochs of fine-tuning"
