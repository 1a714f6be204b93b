"""`natadv export CHECKPOINT --out BUNDLE`: a checkpoint as a model bundle for the device."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

DEFAULT = "write"


class DefaultCommandGroup(TyperGroup):
    """A group whose command `write` may be left out, so that `natadv export CHECKPOINT --out BUNDLE` works.

    A first word that names a command is that command; for a checkpoint of such a name, write `./inspect`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front of arguments that name none."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=DefaultCommandGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Export a checkpoint as a model bundle: natadv export CHECKPOINT --out BUNDLE",
    epilog="All options: natadv export write --help. The word `write` may be left out.",
)


@app.callback()
def export() -> None:
    """Export a checkpoint as a model bundle: natadv export CHECKPOINT --out BUNDLE."""


@app.command(DEFAULT)
def write(
    checkpoint: Annotated[Path, typer.Argument(help="A classifier, as `natadv train classifier` writes it.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="The bundle's folder.")],
    data: Annotated[
        str | None,
        typer.Option("--data", help="Data set or folder: measure the accuracy, compare on real images."),
    ] = None,
    split: Annotated[Literal["train", "test"], typer.Option("--split", help="Part of the data.")] = "test",
    root: Annotated[Path, typer.Option("--root", help="Where named data sets lie unpacked.")] = Path("data"),
    rain: Annotated[
        Path | None, typer.Option("--rain", help="rain.pt tuned for this classifier: export it behind RAIN.")
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Passes through RAIN that are averaged for a frame.")
    ] = 1,
    opset: Annotated[int, typer.Option("--opset", min=18, max=20, help="ONNX operator set.")] = 18,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle of that name.")] = False,
) -> None:
    """Export a checkpoint, compare the result with its original, and write the bundle.

    The word `write` may be left out.
    """
    from export.checkpoint import export_classifier  # torch takes seconds; --help does not wait
    from natadv.data.load import load_dataset
    from natadv.errors import ConfigError
    from natadv.training.checkpoint import load_classifier
    from natadv.training.rain.checkpoint import load_network

    if rain is None and draws > 1:
        raise ConfigError("--draws is of --rain: without it every pass is the same")
    dataset = None if data is None else load_dataset(data, split, root=root)
    done = export_classifier(
        load_classifier(checkpoint),
        out,
        dataset=dataset,
        rain=None if rain is None else load_network(rain),
        draws=draws,
        opset=opset,
        overwrite=overwrite,
    )
    manifest = done.bundle.manifest
    accuracy = "" if done.accuracy is None else f", accuracy {done.accuracy} on {manifest.accuracy_data}"
    typer.echo(
        f"{out}: {len(manifest.labels)} labels, {manifest.input.width}x{manifest.input.height} px,"
        f" within {manifest.parity.max_difference:.1e} of torch on {manifest.parity.images} images{accuracy}"
    )
