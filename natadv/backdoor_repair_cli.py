"""`natadv backdoor repair` and `inspect`."""

from pathlib import Path
from typing import Annotated

import typer

from natadv.data_help import DATA
from natadv.seeds import LARGEST_SEED

_HOWS, _WHATS = ("fine-tuning", "fine-pruning"), ("weights", "channels")


def repair(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of the model to repair.")],
    *,
    how: Annotated[str, typer.Option(help="fine-tuning or fine-pruning.")] = "fine-tuning",
    data: Annotated[str, typer.Option(help="Clean data: the training part repairs, the test part measures.")],
    out: Annotated[Path, typer.Option(help="New folder for the repaired checkpoint.")],
    planted: Annotated[
        Path | None, typer.Option(help="Folder of `plant`; attack success before and after is said too.")
    ] = None,
    tenth: Annotated[float, typer.Option("--share-of-data", help="Of the clean training images, 0..1.")] = 0.1,
    prune: Annotated[
        str, typer.Option(help="Fine-pruning: the least weights, or the sleepiest channels.")
    ] = "channels",
    share: Annotated[
        float | None, typer.Option(help="Fine-pruning: of them, 0..1.", show_default="as far as accuracy holds")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of fine-tuning.")] = 10,
    lr: Annotated[float, typer.Option(help="Learning rate of fine-tuning.")] = 1e-3,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Take a backdoor out with clean images, and say what that cost and whether it helped."""
    from natadv.campaign.backdoor_repair import Repair, repaired
    from natadv.errors import ConfigError
    from natadv.progress import counted
    from natadv.training.classifier import CHECKPOINT

    if how not in _HOWS:
        raise ConfigError(f"--how {how}: expected {' or '.join(_HOWS)}")
    if prune not in _WHATS:
        raise ConfigError(f"--prune {prune}: expected {' or '.join(_WHATS)}")
    if share is not None and how == "fine-tuning":
        raise ConfigError("--share says how far --how fine-pruning prunes")
    if share is not None and not 0 <= share < 1:
        raise ConfigError(f"--share {share}: expected 0 to below 1")
    if not 0 < tenth <= 1 or not lr > 0:
        raise ConfigError(
            f"--share-of-data {tenth} and --lr {lr}: expected a share above 0, at most 1, and a rate above 0"
        )
    pruned = None if how == "fine-tuning" else ("weights" if prune == "weights" else "channels")
    asked = Repair(pruned, share, tenth, epochs, lr, seed)
    with counted("repair", "epochs") as bar:
        task = bar.add_task("", total=epochs)
        for line in repaired(
            checkpoint, data, out, asked, planted=planted, root=root, device=device, epoch=lambda: bar.advance(task)
        ):
            typer.echo(line)
    typer.echo(out / CHECKPOINT)


def inspect(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of the model in question.")],
    data: Annotated[str, typer.Argument(help=f"Its training data: {DATA}.")],
    *,
    clean: Annotated[
        str | None,
        typer.Option(help="Data whose test part is known to be clean.", show_default="none, and little can be said"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of all chance.")] = 0,
    root: Annotated[Path, typer.Option(help="Where named datasets lie unpacked.")] = Path("data"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Say whether a model seems to have a backdoor, on what evidence, and how often such a verdict is wrong.

    Exit code 1 where it does. A model that is not suspicious is not proven clean. The verdict is kept beside the
    checkpoint, where `natadv export` finds it.
    """
    import torch

    from natadv.backdoors.inspect.verdict import inspect_model
    from natadv.data.load import load_dataset
    from natadv.progress import counted
    from natadv.training.checkpoint import load_classifier
    from natadv.training.device import choose_device
    from natadv.training.inspected import Inspected, keep_verdict
    from natadv.training.lineage import pictures_sha256, read_lineage
    from natadv.training.pictures import pictures_for

    loaded, trained_on = load_classifier(checkpoint), load_dataset(data, "train", root=root)
    known = None if clean is None else load_dataset(clean, "test", root=root)
    pictures = pictures_for(trained_on, loaded.labels, loaded.input_size)
    digest = pictures_sha256(pictures, loaded.labels)
    if digest not in {one.sha256 for one in read_lineage(loaded, checkpoint)}:
        typer.echo(
            f"warning: {checkpoint}: its file does not say that it learnt from these pictures of {data}", err=True
        )
    with counted("inspect", "models") as bar:
        bar.add_task("", total=None)
        verdict = inspect_model(
            loaded.model,
            pictures,
            None if known is None else pictures_for(known, loaded.labels, loaded.input_size),
            device=torch.device(choose_device(device)),
            seed=seed,
        )
    for one in verdict.evidence:
        typer.echo(f"{'!' if one.exceeded else ' '} {one.method}: {one.words}")
    if verdict.region:
        typer.echo(f"  {verdict.region}")
    for index in verdict.suspected[:10]:
        typer.echo(f"  suspected: {trained_on.keys[int(index)]}")
    if len(verdict.suspected) > 10:
        typer.echo(f"  and {len(verdict.suspected) - 10} more")
    target = None if verdict.target is None else loaded.labels[verdict.target]
    of = "" if target is None else f" towards {target}"
    typer.echo(f"{checkpoint}: {f'suspicious{of}' if verdict.suspicious else 'nothing suspicious found'}")
    typer.echo(f"how often that is wrong: {verdict.errors_in_words}")
    kept = Inspected(
        checkpoint_sha256=loaded.digest,
        data_sha256=digest,
        suspicious=verdict.suspicious,
        target=target,
        errors=verdict.errors_in_words,
    )
    typer.echo(keep_verdict(checkpoint, kept))
    if verdict.suspicious:
        raise typer.Exit(1)
