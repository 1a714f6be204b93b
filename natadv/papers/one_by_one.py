"""Write a table's numbers as they come, and say each."""

from collections.abc import Iterable
from pathlib import Path

import typer

from natadv.papers.number import Number, misleads
from natadv.papers.results import write_table


def write_one_by_one(found: Iterable[Number], folder: Path, table: int, title: str, *, replace: bool) -> None:
    """Write each number of a table as it comes, and say it; what is written stays when the table is stopped."""
    name = f"table-{table}"
    try:
        for number in found:
            kept = write_table(folder, name, title, [number], replace=replace)
            note = f"; kept what {kept[0].n} images gave, {kept[0].ours:.4g}, see --replace" if kept else ""
            paper = "" if number.paper is None else f" (paper {number.paper:g})"
            typer.echo(f"{number.row}, {number.column}: {number.ours:.4g}, n {number.n}{paper}{note}", err=True)
            for flag in misleads(number):
                typer.echo(f"  may mislead: {flag}", err=True)
    except KeyboardInterrupt:
        typer.echo(f"stopped; table {table} has the numbers said above", err=True)
        raise typer.Exit(130) from None
    typer.echo(folder / f"{name}.md")
