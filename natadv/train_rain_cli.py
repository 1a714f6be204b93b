"""`natadv train sr` and `natadv train rain`: RAIN's super-resolution, alone and through a classifier."""

from pathlib import Path
from typing import Annotated, Any

import typer

from natadv.data_help import DATA
from natadv.recipe_options import checked_recipe
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable_training

_DATA = f"{DATA}; its pictures, whole."
_PHOTOGRAPHS = "Instead: a folder of photographs; crops of them."


def train_sr(
    *,
    out: Annotated[Path, typer.Option(help="New folder for sr.pt and the metrics.")],
    data: Annotated[str | None, typer.Option(help=_DATA)] = None,
    photographs: Annotated[Path | None, typer.Option(help=_PHOTOGRAPHS)] = None,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    network: Annotated[
        str | None,
        typer.Option(
            help="edsr:, compact: or separable:FEATURESxDEPTH; edsr:64x16 is the paper's, compact:32x4 for 224 px.",
            show_default="compact:8x2",
        ),
    ] = None,
    teacher: Annotated[Path | None, typer.Option(help="sr.pt whose output is half of what is aimed at.")] = None,
    size: Annotated[int | None, typer.Option(help="Picture side, px.", show_default="64")] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.", show_default="2000")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures a step.", show_default="16")] = None,
    lr: Annotated[float | None, typer.Option(help="First learning rate.", show_default="0.002")] = None,
    every: Annotated[int | None, typer.Option(help="Steps between measures.", show_default="250")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Train a super-resolution network to undo random downsampling."""
    with stoppable_training(out, "measures"):
        from natadv.training.progress import on_terminal
        from natadv.training.rain.recipe import SuperResolutionRecipe
        from natadv.training.rain.super_resolution import NETWORK, train_super_resolution

        given = _common(locals()) | {"network": network, "teacher": _text(teacher)}
        recipe = checked_recipe(SuperResolutionRecipe, _said(given))
        metrics = train_super_resolution(recipe, out, resume=resume, reporter=on_terminal)
    typer.echo(f"{out / NETWORK}: {metrics['psnr']:.2f} dB, bicubic {metrics['psnr_bicubic']:.2f} dB")
    if metrics["psnr"] < metrics["psnr_bicubic"]:
        typer.echo("warning: bicubic interpolation does better; train for more --steps", err=True)


def train_rain(
    super_resolution: Annotated[Path, typer.Argument(help="sr.pt to begin with.")],
    *,
    classifier: Annotated[str, typer.Option(help="checkpoint.pt, NAME.onnx or a timm name; it stays as it is.")],
    out: Annotated[Path, typer.Option(help="New folder for rain.pt and the metrics.")],
    data: Annotated[str | None, typer.Option(help=_DATA)] = None,
    photographs: Annotated[Path | None, typer.Option(help=_PHOTOGRAPHS)] = None,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    share: Annotated[
        float | None, typer.Option(help="p: shift by up to this of the sides.", show_default="0.05")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(help="down-shift-up, shift-down-up, down-up-shift or down-up.", show_default="down-shift-up"),
    ] = None,
    per_channel: Annotated[bool, typer.Option("--per-channel", help="Pick a pixel for each channel.")] = False,
    aim: Annotated[
        str | None,
        typer.Option(
            help="answer: the classifier's own to the clean picture; label: the paper's.", show_default="answer"
        ),
    ] = None,
    brightness: Annotated[
        float | None,
        typer.Option(help="How much it matters that pictures stay as bright; 0, the paper's: not.", show_default="1"),
    ] = None,
    size: Annotated[int | None, typer.Option(help="Picture side, px; the classifier's.", show_default="64")] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps.", show_default="2000")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures a step.", show_default="32")] = None,
    lr: Annotated[float | None, typer.Option(help="First learning rate.", show_default="0.004")] = None,
    every: Annotated[int | None, typer.Option(help="Steps between measures.", show_default="250")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Tune RAIN's super-resolution through a classifier, on clean pictures alone."""
    with stoppable_training(out, "measures"):
        from natadv.training.progress import on_terminal
        from natadv.training.rain.recipe import TuningRecipe
        from natadv.training.rain.tuning import NETWORK, tune_rain

        given = _common(locals()) | {
            "super_resolution": str(super_resolution),
            "classifier": classifier,
            "share": share,
            "order": order,
            "per_channel": per_channel,
            "aim": aim,
            "brightness": brightness,
        }
        recipe = checked_recipe(TuningRecipe, _said(given))
        metrics = tune_rain(recipe, out, resume=resume, reporter=on_terminal)
        behind, before = (f"{100 * metrics[name]:.1f} %" for name in ("rain", "untuned"))
        if data is None:
            said = f"as the bare classifier on {behind}, before tuning {before}"
        else:
            said = f"{behind} right behind RAIN, before tuning {before}, {100 * metrics['clean']:.1f} % without"
        typer.echo(f"{out / NETWORK}: {said}")
        if metrics["rain"] < metrics["untuned"]:
            instead = "take fewer --steps or a lower --lr"
            typer.echo(f"warning: tuning did harm; {instead}, or {super_resolution} as it was", err=True)


def _common(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that both recipes have, by their own names."""
    names = ("data", "root", "steps", "batch_size", "every", "seed", "device", "precision", "threads")
    given = {name: options[name] for name in names}
    photographs = _text(options["photographs"])
    own = {"photographs": photographs, "size_px": options["size"], "root": str(options["root"])}
    return given | own | {"learning_rate": options["lr"]}


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
