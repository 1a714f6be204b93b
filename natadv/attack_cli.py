"""`natadv attack`: make adversarial images behind raindrops, to look at and to train on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from natadv.data_help import DATA
from natadv.seeds import LARGEST_SEED

if TYPE_CHECKING:
    from natadv.campaign.settings import AdvrdSettings

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _attack() -> None:
    """Make adversarial images behind raindrops; re-check and write them."""


@app.command()
def advrd(
    model: Annotated[Path, typer.Argument(help="A checkpoint.pt; with --box black also a bundle's folder.")],
    *,
    data: Annotated[str, typer.Option(help=f"{DATA}.")],
    out: Annotated[Path, typer.Option(help="New folder: what fooled, one sub-folder a label, and its papers.")],
    split: Annotated[str, typer.Option(help="train or test; a fifth of an unsplit folder is test.")] = "test",
    count: Annotated[int | None, typer.Option(min=1, help="So many images, drawn by seed.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the images drawn and of the drops.")] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    generator: Annotated[
        str, typer.Option(help="optics, optics:PRESET, either with @LIGHT, gan, or a generator.pt.")
    ] = "optics",
    bench: Annotated[
        Path | None, typer.Option(help="New folder: clean images and the drops that fooled, for `capture run`.")
    ] = None,
    box: Annotated[str, typer.Option(help="white follows gradients, black tries natural drops.")] = "white",
    restarts: Annotated[int | None, typer.Option(help="N: natural codes of an image.", show_default="25")] = None,
    steps: Annotated[int | None, typer.Option(help="T: checks of a restart.", show_default="10")] = None,
    step_size: Annotated[
        float | None, typer.Option(help="Each entry of a code moves by it.", show_default="0.05")
    ] = None,
    radius: Annotated[float | None, typer.Option(help="l2 bound on codes.", show_default="none")] = None,
    momentum: Annotated[float | None, typer.Option(help="MIM: decay of summed gradients.", show_default="0")] = None,
    diversity: Annotated[
        float | None, typer.Option(help="DIM: share of pictures resized, 0..1.", show_default="0")
    ] = None,
    translation: Annotated[
        int | None, typer.Option(help="TIM: width of the kernel, px, odd.", show_default="1")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Lead of a wrong class, in logits (of a bundle, 0..1).", show_default="0.0001"),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures at once.", show_default="64")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an attack that was stopped.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Attack the images that a model gets right with raindrops (AdvRD) and write those that fool it.

    Each one written is an 8-bit PNG that the model was shown again and got wrong. Its papers are a line of
    provenance.jsonl; source.json keeps what comes from test images away from training. It works in blocks of images:
    what was stopped lies in OUT.unfinished, and --resume goes on after its last whole block.
    """
    given = {
        "box": box,
        "restarts": restarts,
        "steps": steps,
        "step_size": step_size,
        "radius": radius,
        "momentum": momentum,
        "diversity": diversity,
        "translation": translation,
        "margin": margin,
        "batch_size": batch_size,
    }
    try:
        settings = _settings(given)

        import torch

        from natadv.campaign.job import attack_dataset
        from natadv.progress import counted

        if threads:
            torch.set_num_threads(threads)
        with counted("attacking", "images") as bar:
            task = bar.add_task("", total=None)
            summary = attack_dataset(
                model,
                data,
                out,
                settings=settings,
                split=split,
                count=count,
                seed=seed,
                root=root,
                generator=generator,
                bench=bench,
                resume=resume,
                device=device,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except KeyboardInterrupt:
        from natadv.campaign.journal import UNFINISHED

        kept = out.with_name(out.name + UNFINISHED).exists()
        typer.echo("stopped; " + ("--resume goes on" if kept else "nothing was written"), err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{summary}; {summary.success.hits} images in {out}")
    if bench and summary.success.hits:
        typer.echo(f"their clean images and drops are in {bench}; next: natadv capture run RIG {bench}")
    elif bench:
        typer.echo(f"nothing fooled, so {bench} has nothing to record")


def _settings(given: dict[str, Any]) -> "AdvrdSettings":
    """Return checked settings of the options given; what was left out has its default."""
    from pydantic import ValidationError

    from natadv.campaign.settings import AdvrdSettings
    from natadv.errors import ConfigError

    try:
        return AdvrdSettings.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise ConfigError(message) from error
        raise ConfigError(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {message}") from error
