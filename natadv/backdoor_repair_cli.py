"""`natadv backdoor repair`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from natadv.labels import split_labels
from natadv.seeds import LARGEST_SEED
from natadv.stopping import stoppable

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
    classes: Annotated[
        str | None, typer.Option(help="LABEL,LABEL,... of --data: these alone.", show_default="all")
    ] = None,
    tenth: Annotated[float, typer.Option("--share-of-data", help="Of the clean training images, 0..1.")] = 0.1,
    prune: Annotated[
        str | None,
        typer.Option(help="Fine-pruning: weights, the least, or the sleepiest channels.", show_default="channels"),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Fine-pruning: of them, 0..1.", show_default="as far as accuracy holds")
    ] = None,
    most_drop: Annotated[
        float | None,
        typer.Option(help="Fine-pruning by itself: of accuracy on images held back, 0..1.", show_default="0.04"),
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
    if how == "fine-tuning":
        for option, one in (("--prune", prune), ("--share", share), ("--most-drop", most_drop)):
            if one is not None:
                raise ConfigError(f"{option} {one}: says how --how fine-pruning prunes; name that too")
    if share is not None and most_drop is not None:
        raise ConfigError(f"--most-drop {most_drop}: says where pruning stops by itself; --share says how far it goes")
    prune, most_drop = prune or "channels", 0.04 if most_drop is None else most_drop
    if prune not in _WHATS:
        raise ConfigError(f"--prune {prune}: expected {' or '.join(_WHATS)}")
    if share is not None and not 0 <= share < 1:
        raise ConfigError(f"--share {share}: expected 0 to below 1")
    if not 0 < tenth <= 1:
        raise ConfigError(f"--share-of-data {tenth}: expected a share above 0, at most 1")
    if not 0 < lr < math.inf:
        raise ConfigError(f"--lr {lr}: expected a rate above 0")
    if not 0 <= most_drop < 1:
        raise ConfigError(f"--most-drop {most_drop}: expected 0 to below 1")
    pruned = None if how == "fine-tuning" else ("weights" if prune == "weights" else "channels")
    asked = Repair(pruned, share, most_drop, tenth, epochs, lr, seed)
    with stoppable(lambda: f"nothing is in {out}; the same command begins anew"), counted("repair", "epochs") as bar:
        task = bar.add_task("", total=epochs)
        for one in repaired(
            checkpoint,
            data,
            out,
            asked,
            planted=planted,
            root=root,
            classes=split_labels(classes),
            device=device,
            epoch=lambda: bar.advance(task),
        ):
            typer.echo(one.text)
    typer.echo(out / CHECKPOINT)
