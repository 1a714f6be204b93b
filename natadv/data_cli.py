"""`natadv data`: write image folders from datasets."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.data_help import DATA
from natadv.seeds import LARGEST_SEED

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Write image folders from datasets.")


@app.callback()
def _data() -> None:
    """Write image folders from datasets, the drawn signs among them."""


@app.command()
def export(
    data: Annotated[str, typer.Argument(help=f"{DATA}.")],
    out: Annotated[Path, typer.Option(help="New folder, with one sub-folder a label.")],
    split: Annotated[str, typer.Option(help="train or test; a fifth of an unsplit folder is test.")] = "test",
    per_class: Annotated[int | None, typer.Option(min=1, help="Images a class.", show_default="all")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Images in all, after --per-class.")] = None,
    part: Annotated[str, typer.Option(help="i/n: the i-th of n parts that share no image.")] = "1/1",
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the choice; its parts are disjoint.")] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
) -> None:
    """Write a seeded choice of a dataset's images as a labelled folder, at their original sizes.

    Beside the labels, source.json says which part of which data the images are.
    """
    from natadv.data.export import export_images, parse_part

    written = export_images(
        data, out, split=split, per_class=per_class, count=count, part=parse_part(part), seed=seed, root=root
    )
    typer.echo(f"{written} images in {out}")
