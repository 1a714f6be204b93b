"""`natadv papers deployed`."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.seeds import LARGEST_SEED


def deployed(
    bundle: Annotated[list[str], typer.Argument(help="ROW=FOLDER of a bundle, as 'RAIN int8'=runs/rain8.bundle.")],
    *,
    data: Annotated[str, typer.Option(help="A name or a folder; its test part is used.")],
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    session: Annotated[Path | None, typer.Option(help="A session recorded with --purpose test; it is scanned.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="Only these; repeatable.", show_default="all")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Images that drops are tried on, drawn by seed.", show_default="all")
    ] = None,
    restarts: Annotated[int, typer.Option(min=1, help="Drops that an image is tried with.")] = 5,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    results: Annotated[Path, typer.Option(help="Where results are kept.")] = Path("results"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace numbers that rest on more images too.")] = False,
) -> None:
    """Measure deployed models, by kind and precision, and write results/deployed/table-1."""
    from natadv.data.load import load_test
    from natadv.errors import ConfigError
    from natadv.papers.deployed import COLUMNS, TITLE, DeployedRequest, numbers
    from natadv.papers.one_by_one import write_one_by_one
    from natadv.progress import counted

    bundles = dict(_named(text) for text in bundle)
    for name in column or ():
        if name not in COLUMNS:
            raise ConfigError(f"--column {name}: not one of {', '.join(COLUMNS)}")
    request = DeployedRequest(
        bundles,
        data,
        load_test(data, root, None),
        session,
        count,
        restarts,
        tuple(column or COLUMNS),
        root,
        seed,
    )
    with counted("deployed", "images") as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=what)

        write_one_by_one(numbers(request, report), results / "deployed", 1, TITLE, replace=replace)


def _named(text: str) -> tuple[str, Path]:
    from natadv.errors import ConfigError

    name, _, folder = text.rpartition("=")
    if not name or not folder:
        raise ConfigError(f"{text}: expected ROW=FOLDER, as 'RAIN int8'=runs/rain8.bundle")
    return name, Path(folder)
