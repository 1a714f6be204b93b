"""`natadv papers detection`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from natadv.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from natadv.papers.detection_tables.study import Study
    from natadv.papers.number import Number

_TABLES, _FIGURES = (1,), (4, 6)


def detection(
    bank: Annotated[Path, typer.Argument(help="Folder that `natadv detect bank` made.")],
    *,
    figure: Annotated[list[int] | None, typer.Option(help="4 (learnt kinds) or 6 (N + 1); repeatable.")] = None,
    table: Annotated[list[int] | None, typer.Option(help="1 (kinds not learnt); repeatable.")] = None,
    claims: Annotated[
        bool, typer.Option("--claims", help="Each claim of the paper, confirmed or contradicted.")
    ] = False,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME or NAME=FILE[@EPOCHS]: light, the paper's, or any name for a file NAME.onnx; repeatable.",
            show_default="light",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="That the bank was made of, for the floor.", show_default="as the bank says")
    ] = None,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 30,
    false_alarms: Annotated[
        float, typer.Option(help="Share of clean images above the threshold that the attack has to stay below, 0..1.")
    ] = 0.05,
    adaptive: Annotated[
        int, typer.Option(min=0, help="Attack so many clean test images, by one who knows --model and the detector.")
    ] = 0,
    model: Annotated[Path | None, typer.Option(help="Of --adaptive: checkpoint.pt of the classifier.")] = None,
    attacked: Annotated[
        list[str] | None,
        typer.Option(help='Of --adaptive: a detector, as "light: fgsm" in table 1; repeatable.', show_default="all"),
    ] = None,
    epsilon: Annotated[float, typer.Option(help="Of --adaptive: l_inf budget, levels of 255.")] = 8.0,
    steps: Annotated[int, typer.Option(min=1, help="Of --adaptive: steps of each way of the attack.")] = 40,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of detectors and attacks.")] = Path("runs/detection"),
    results: Annotated[Path, typer.Option(help="Where results are kept, a folder a paper.")] = Path("results"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace numbers that rest on more images too.")] = False,
) -> None:
    """Study detectors, a kind learnt and all others shown, and write results/detection: ours beside the paper's.

    Every detector is kept by what made it: stopped, the same command goes on where it was, and tables share detectors.
    """
    from natadv.errors import ConfigError

    wanted = [("figure", number, _FIGURES) for number in figure or ()]
    wanted += [("table", number, _TABLES) for number in table or ()]
    if not wanted and not claims:
        raise ConfigError("name a --table, a --figure or --claims")
    for what, number, known in wanted:
        if number not in known:
            raise ConfigError(f"--{what} {number}: not one of {', '.join(map(str, known))}")

    import torch

    from natadv.detection.banked import read_bank
    from natadv.detection.trial import asked_attack, attacked_classifier
    from natadv.papers.detection_tables.bench import Backbone, Bench
    from natadv.papers.detection_tables.study import Study
    from natadv.training.device import choose_device
    from natadv.training.progress import on_terminal

    attack = asked_attack(model, adaptive, epsilon, steps, false_alarms)
    if attack is not None:
        attacked_classifier(attack.model, read_bank(bank))  # before hours of training
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = choose_device(device)
    training = {"epochs": epochs, "false_alarms": false_alarms, "seed": seed, "device": device, "threads": threads}
    bench = Bench(
        bank=bank,
        training=training,
        cache=cache,
        attack=attack,
        targets=tuple(attacked or ()),
        device=chosen,
        reporter=on_terminal,
        notice=lambda line: typer.echo(line, err=True),
    )
    backbones = tuple(map(Backbone.of, backbone or ("light",)))
    study = Study(bench, backbones, data or read_bank(bank).data, root)
    try:
        for what, number, _ in wanted:
            _draw(study, f"{what}-{number}", results / "detection", replace)
        if claims:
            _claim(study, results / "detection")
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on with the detectors in {cache}", err=True)
        raise typer.Exit(130) from None


def _draw(study: "Study", name: str, folder: Path, replace: bool) -> None:
    from natadv.papers.detection import TITLES
    from natadv.papers.detection_tables import pictures, tables
    from natadv.papers.results import check_smaller, write_figure

    make = {"figure-4": tables.seen, "table-1": tables.unseen, "figure-6": tables.supervised}[name]
    numbers: list[Number] = []
    for number in make(study):
        _say(number)
        numbers.append(number)
    if not replace:
        check_smaller(folder / f"{name}.csv", numbers)
    if name == "table-1":
        png = pictures.heat_maps(numbers, study.backbones, study.bench.kinds)
    else:
        png = pictures.bars(numbers, tables.drawn_columns(study, name), TITLES[name])
    sections = tables.sections(study) if name == "table-1" else ()
    write_figure(folder, name, TITLES[name], png, numbers, sections=sections)
    typer.echo(folder / f"{name}.png")


def _claim(study: "Study", folder: Path) -> None:
    from natadv.papers.detection import TITLES
    from natadv.papers.detection_tables import claims
    from natadv.papers.results import write_table

    found = [(backbone, claim) for backbone in study.backbones for claim in claims.claims(study, backbone)]
    lines = list(claims.sentences(study, found))
    for line in lines:
        typer.echo(line, err=True)
    write_table(folder, "claims", TITLES["claims"], list(claims.numbers(study, found)), whole=True, before=lines)
    typer.echo(folder / "claims.md")


def _say(number: "Number") -> None:
    paper = "" if number.paper is None else f" (paper {number.paper:g})"
    typer.echo(f"{number.row}, {number.column}: {number.ours:.4g}, n {number.n}{paper}", err=True)
