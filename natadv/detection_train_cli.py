"""`natadv detect train`, `test` and `disagreement`."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable_training

_BANK = typer.Argument(help="Folder that `natadv detect bank` made.")
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="torch's own choice")]


def train(
    bank: Annotated[Path, _BANK],
    *,
    out: Annotated[Path, typer.Option(help="New folder for the detector and the metrics.")],
    kind: Annotated[list[str] | None, typer.Option(help="To learn; repeatable.", show_default="all")] = None,
    backbone: Annotated[
        str, typer.Option(help="light, vgg16, densenet121, mobilenet, inception_v3, xception or onnx.")
    ] = "light",
    weights: Annotated[
        Path | None, typer.Option(help="Pretrained: timm's of the backbone; of onnx, an ONNX classifier.")
    ] = None,
    frozen: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of its convolutions.", show_default="the paper's with weights, else 0"),
    ] = None,
    n_plus_one: Annotated[bool, typer.Option("--n-plus-one", help="Each kind is a class of its own.")] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 30,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")] = 32,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate at first.", show_default="0.0001; of light 0.003")
    ] = None,
    held_back: Annotated[
        float,
        typer.Option(
            help="Share of the source images that choose the threshold, and train nothing; more, up to half, where"
            " --false-alarms takes more."
        ),
    ] = 0.2,
    false_alarms: Annotated[
        float, typer.Option(help="Share of clean images above the threshold, 0..1, of sources not held back.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed or 16-mixed.")] = "32-true",
    threads: Threads = None,
) -> None:
    """Train a detector of adversarial images, and choose its threshold by clean images held back."""
    with stoppable_training(out, "whole epoch"):
        from natadv.detection.recipe import DetectorRecipe
        from natadv.detection.run import DETECTOR
        from natadv.detection.train import train_detector
        from natadv.recipe_options import checked_recipe
        from natadv.training.progress import on_terminal

        given = {
            "bank": str(bank),
            "kinds": tuple(kind or ()),
            "backbone": backbone,
            "weights": str(weights) if weights else None,
            "frozen": frozen,
            "n_plus_one": n_plus_one,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": lr,
            "held_back": held_back,
            "false_alarms": false_alarms,
            "seed": seed,
            "device": device,
            "precision": precision,
            "threads": threads,
        }
        recipe = checked_recipe(DetectorRecipe, given)
        metrics = train_detector(recipe, out, resume=resume, reporter=on_terminal)
    low, high = (100 * end for end in metrics["above_interval"])
    typer.echo(
        f"{out / DETECTOR}: AUC {100 * metrics['auc']:.1f} % on images held back; threshold {metrics['threshold']:.4g},"
        f" {metrics['above']} of {metrics['clean_images']} clean ones, of {metrics['clean_kin']} sources, above it"
        f" (95 % {low:.1f}-{high:.1f} %)"
    )


def test(
    detector: Annotated[Path, typer.Argument(help="detector.pt of a training.")],
    bank: Annotated[Path, _BANK],
    *,
    out: Annotated[Path, typer.Option(help="New folder for the table and the picture.")],
    false_alarms: Annotated[float, typer.Option(help="Rate at which the share called is said, 0..1.")] = 0.01,
    adaptive: Annotated[
        int,
        typer.Option(
            min=0, help="Attack so many clean test images, if there are, by one who knows --model and the detector."
        ),
    ] = 0,
    model: Annotated[Path | None, typer.Option(help="Of --adaptive: checkpoint.pt of the classifier.")] = None,
    epsilon: Annotated[float, typer.Option(help="Of --adaptive: l_inf budget, levels of 255.")] = 8.0,
    steps: Annotated[int, typer.Option(min=1, help="Of --adaptive: steps of each way of the attack.")] = 40,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the bootstrap and the attack.")] = 0,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Say how well a detector tells each kind of a bank's test images, and whether an attack gets past it."""
    import torch

    from natadv.detection.report import lines
    from natadv.detection.trial import asked_attack, try_detector
    from natadv.progress import counted
    from natadv.training.device import choose_device

    attack = asked_attack(model, adaptive, epsilon, steps, false_alarms)
    if threads is not None:
        torch.set_num_threads(threads)
    with counted("attacking", "batches") as bar:

        def report(done: int, total: int) -> None:
            if not bar.tasks:
                bar.add_task("")
            bar.update(bar.tasks[0].id, completed=done, total=total)

        found, attacked = try_detector(
            detector,
            bank,
            out,
            false_alarms=false_alarms,
            attack=attack,
            seed=seed,
            device=choose_device(device),
            report=report,
        )
    for line in lines(found):
        typer.echo(line)
    if attacked is not None:
        typer.echo(f"pgd, which knows the classifier alone: fools it {attacked.plain}")
        typer.echo(f"and gets past the detector too: {attacked.plain_unseen}")
        typer.echo(f"adaptive, which knows the detector too: fools both {attacked.adaptive}")
    typer.echo(out)


def disagreement(
    classifier: Annotated[Path, typer.Argument(help="checkpoint.pt of the classifier.")],
    bank: Annotated[Path, _BANK],
    *,
    rain: Annotated[Path, typer.Option(help="rain.pt tuned for it.")],
    out: Annotated[Path, typer.Option(help="New folder for the table and the picture.")],
    draws: Annotated[int, typer.Option(min=2, help="Passes through RAIN for an image.")] = 8,
    false_alarms: Annotated[float, typer.Option(help="Share of clean images above the threshold, 0..1.")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of the noise and the bootstrap.")] = 0,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Say how well the disagreement between RAIN's draws tells the kinds of a bank: a detector that costs nothing."""
    import torch

    from natadv.detection.report import lines
    from natadv.detection.trial import try_disagreement
    from natadv.errors import ConfigError
    from natadv.training.device import choose_device

    if not 0 < false_alarms < 1:
        raise ConfigError(f"--false-alarms {false_alarms:g}: expected 0..1")
    if threads is not None:
        torch.set_num_threads(threads)
    found, threshold = try_disagreement(
        classifier, rain, bank, out, draws=draws, false_alarms=false_alarms, seed=seed, device=choose_device(device)
    )
    for line in lines(found):
        typer.echo(line)
    typer.echo(f"{out}: on a device, natadv edge run --alarm disagreement={threshold.value:.4g}")
