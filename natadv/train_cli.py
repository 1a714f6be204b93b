"""`natadv train`: train and evaluate classifiers."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from natadv.data_help import DATA
from natadv.recipe_options import checked_recipe
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable_training
from natadv.train_rain_cli import train_rain, train_sr

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train and evaluate classifiers.")
app.command("sr")(train_sr)
app.command("rain")(train_rain)

_DATA = f"{DATA}."


@app.command()
def classifier(
    *,
    data: Annotated[str, typer.Option(help=_DATA)] = "signs",
    out: Annotated[Path, typer.Option(help="New folder for the checkpoint and the metrics.")],
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    model: Annotated[str | None, typer.Option(help="A timm name.", show_default="natadv_slim, or --init's")] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="DOWNLOAD timm's weights.")] = False,
    size: Annotated[int | None, typer.Option(help="Picture side, px.", show_default="64, or --init's")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.", show_default="12")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures a step.", show_default="32")] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="adamw, or sgd with momentum 0.9.", show_default="adamw")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.", show_default="0.006")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of weights, not of biases.", show_default="0.05")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of everything random.")] = 0,
    init: Annotated[Path | None, typer.Option(help="Checkpoint to start from.")] = None,
    hits: Annotated[list[Path] | None, typer.Option(help="Hits folder of a training session; repeatable.")] = None,
    evidence: Annotated[
        list[Path] | None, typer.Option(help="Labelled evidence of live runs, taken as hits are; repeatable.")
    ] = None,
    raindrops: Annotated[float, typer.Option(help="Share of pictures behind wet glass, 0..1.")] = 0.0,
    wetness: Annotated[
        list[str] | None,
        typer.Option(help="light, medium, heavy, fine, close or soft; repeatable.", show_default="each"),
    ] = None,
    advrd: Annotated[float, typer.Option(help="Share of pictures that AdvRD attacks as it trains, 0..1.")] = 0.0,
    generator: Annotated[
        list[str] | None,
        typer.Option(help="optics, optics:PRESET[@LIGHT], gan or generator.pt; repeatable.", show_default="optics"),
    ] = None,
    restarts: Annotated[
        int | None, typer.Option(help="Codes tried for each attacked picture.", show_default="1")
    ] = None,
    attack_steps: Annotated[
        int | None, typer.Option(help="Gradient steps on each; 0 only samples.", show_default="3")
    ] = None,
    pgd: Annotated[float, typer.Option(help="Share of pictures that PGD attacks as it trains, 0..1.")] = 0.0,
    epsilon: Annotated[float | None, typer.Option(help="Its l_inf budget, levels of 255.", show_default="16")] = None,
    pgd_steps: Annotated[int | None, typer.Option(help="Its gradient steps.", show_default="10")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="How many of them.")] = 1,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Train a classifier; with --init, --hits, --evidence, --raindrops, --advrd and --pgd, harden one."""
    with stoppable_training(out, "whole epoch"):
        from natadv.errors import ConfigError
        from natadv.training.classifier import CHECKPOINT, train_classifier
        from natadv.training.device import choose_device, device_name
        from natadv.training.generators import check_generator
        from natadv.training.hits import count_hits, evidence_folders
        from natadv.training.progress import on_terminal

        hits = [*(hits or ()), *(one for folder in evidence or () for one in evidence_folders(folder))]
        given = {
            "data": data,
            "root": str(root),
            "model": model,
            "pretrained": pretrained,
            "size_px": size,
            "epochs": epochs,
            "batch_size": batch_size,
            "optimizer": optimizer,
            "learning_rate": lr,
            "weight_decay": weight_decay,
            "seed": seed,
            "init": str(init) if init else None,
            "hits": tuple(str(folder) for folder in hits),
            "raindrops": raindrops,
            "wetness": tuple(wetness) if wetness else None,
            "advrd": advrd,
            "generators": tuple(generator) if generator else None,
            "restarts": restarts,
            "attack_steps": attack_steps,
            "pgd": pgd,
            "epsilon": epsilon,
            "pgd_steps": pgd_steps,
            "device": device,
            "devices": devices,
            "precision": precision,
            "threads": threads,
        }
        if not advrd and (generator or restarts is not None or attack_steps is not None):
            raise ConfigError("--generator, --restarts and --attack-steps say how --advrd attacks; name its share too")
        if not pgd and (epsilon is not None or pgd_steps is not None):
            raise ConfigError("--epsilon and --pgd-steps say how --pgd attacks; name its share too")
        recipe = _recipe(given)
        for name in recipe.generators if recipe.advrd else ():
            check_generator(name)
        chosen = choose_device(device, count=devices, precision=precision)
        begun = f"training {recipe.model} at {recipe.size_px} px on {device_name(chosen, threads)}"
        if resume and not out.exists():
            typer.echo(f"{out}: no run there yet; a new one begins", err=True)
        if recipe.hits and not any(count_hits(Path(folder)) for folder in recipe.hits):
            typer.echo(
                f"no hits in {', '.join(recipe.hits[:5])}: nothing but --raindrops and --advrd harden now", err=True
            )
        metrics = train_classifier(recipe, out, resume=resume, reporter=partial(on_terminal, begun))
    typer.echo(f"{out / CHECKPOINT}: test accuracy {_rate(metrics)}, {metrics['seconds']:.0f} s")


@app.command()
def advrd(
    *,
    photographs: Annotated[Path, typer.Option(help="Folder of photographs that drops are rendered on.")],
    classifier: Annotated[Path, typer.Option(help="checkpoint.pt of the transfer classifier.")],
    data: Annotated[str, typer.Option(help="That classifier's data: " + _DATA)],
    out: Annotated[Path, typer.Option(help="New folder for the generator, samples and metrics.")],
    pairs: Annotated[Path | None, typer.Option(help="Folder of real pairs; half of them train.")] = None,
    extractor: Annotated[Path | None, typer.Option(help="ONNX classifier; measures RFID on the other half.")] = None,
    literal: Annotated[bool, typer.Option("--literal", help="The paper's losses to the letter.")] = False,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    size: Annotated[int, typer.Option(help="Picture side, px; the classifier's.")] = 64,
    steps: Annotated[int | None, typer.Option(help="Training steps.", show_default="4000")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rendered pairs a step.", show_default="16")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.", show_default="0.0006")] = None,
    eta: Annotated[float | None, typer.Option(help="Classification loss to aim at, Eq. 9.", show_default="2")] = None,
    adversarial: Annotated[
        float | None, typer.Option(help="Weight of fooling the classifier.", show_default="0.1")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Channels of the coarsest layer.", show_default="64")] = None,
    init: Annotated[Path | None, typer.Option(help="last.pt of a run to fine-tune, as to another eta.")] = None,
    every: Annotated[int | None, typer.Option(help="Steps between samples.", show_default="500")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", show_default="torch's own choice")] = None,
) -> None:
    """Train AdvRD's generator of adversarial raindrops."""
    with stoppable_training(out, "samples"):
        from natadv.training.progress import on_terminal
        from natadv.training.quasi_gan.recipe import QuasiGanRecipe
        from natadv.training.quasi_gan.train import GENERATOR, train_quasi_gan

        given = {
            "photographs": str(photographs),
            "pairs": str(pairs) if pairs else None,
            "classifier": str(classifier),
            "data": data,
            "root": str(root),
            "extractor": str(extractor) if extractor else None,
            "size_px": size,
            "steps": steps,
            "batch_size": batch_size,
            "learning_rate": lr,
            "eta": eta,
            "adversarial": adversarial,
            "width": width,
            "init": str(init) if init else None,
            "every": every,
            "seed": seed,
            "device": device,
            "precision": precision,
            "threads": threads,
        }
        if init and not pairs:
            typer.echo("without --pairs, no real photographs train or measure this run, whatever --init had", err=True)
        make = QuasiGanRecipe.literal if literal else QuasiGanRecipe
        recipe = checked_recipe(make, {name: value for name, value in given.items() if value is not None})
        metrics = train_quasi_gan(recipe, out, resume=resume, reporter=on_terminal)
    measured = ", ".join(f"{name} {metrics[name]:.3g}" for name in ("diversity", "rfid") if name in metrics)
    typer.echo(f"{out / GENERATOR}: {measured}")


@app.command()
def blend(
    hardened: Annotated[Path, typer.Argument(help="checkpoint.pt of a run with --init.")],
    standard: Annotated[Path, typer.Argument(help="The checkpoint that it began with.")],
    *,
    data: Annotated[str, typer.Option(help="What both were trained on: " + _DATA)],
    out: Annotated[Path, typer.Option(help="New folder for the checkpoint and the metrics.")],
    share: Annotated[float, typer.Option(help="Of the standard model in the weights, 0..1.")] = 0.4,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the pictures that measure batch norms.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Average a hardened model's weights with those it began with: more accurate, a little less robust."""
    from natadv.training.blend import blend_classifiers
    from natadv.training.classifier import CHECKPOINT

    metrics = blend_classifiers(hardened, standard, out, share=share, data=data, root=root, seed=seed, device=device)
    typer.echo(f"{out / CHECKPOINT}: test accuracy {_rate(metrics)}")


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of a run.")],
    data: Annotated[str, typer.Option(help=_DATA)],
    split: Annotated[str, typer.Option(help="train or test; a fifth of an unsplit folder is test.")] = "test",
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Print a checkpoint's accuracy on some data, with its 95 % interval."""
    from natadv.training.evaluate import evaluate_checkpoint

    rate = evaluate_checkpoint(checkpoint, data, split, root=root, device=device)
    typer.echo(f"accuracy {rate}" + ("" if rate.things == rate.total else f"; interval {rate.counted}"))


def _recipe(given: dict[str, Any]) -> Any:
    """Return a checked recipe of the options given; what was left out is `--init`'s or the recipe's own default."""
    from pathlib import Path

    from natadv.training.checkpoint import load_classifier
    from natadv.training.recipe import Recipe

    options = {name: value for name, value in given.items() if value is not None}
    if "init" in options:
        initial = load_classifier(Path(options["init"]))
        options = {"model": initial.model_name, "size_px": initial.input_size[0]} | options
    return checked_recipe(Recipe, options)


def _rate(metrics: dict[str, Any]) -> str:
    from natadv.evaluation.rates import KinRate

    low, high = metrics["accuracy_interval"]
    rate = KinRate(metrics["correct"], metrics["images"], (low, high))
    return f"{rate}; interval {metrics['interval']}" if "interval" in metrics else str(rate)
