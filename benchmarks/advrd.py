"""How much the batched AdvRD gains on Algorithm 1's plain loops, and what its steps cost beside those of a PGD attack.

Both attack the project's small classifier through wet glass, on drawn signs that it gets right; N = 25 and T = 10 as
in the paper. CPU time of one core, or wall time of a GPU where there is one; in turn, medians; frozen weights.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchattack import PGD

from benchmarks.advrd_loop import advrd_loop
from natadv.attacks.advrd import advrd
from natadv.attacks.advrd_black_box import advrd_black_box
from natadv.batches import to_batch
from natadv.evaluation.success import is_right
from natadv.models.classifier import Classifier
from natadv.models.frozen import frozen
from natadv.training.checkpoint import load_classifier
from natadv.training.generators import GAN, OpenedGenerator, open_generator

RESTARTS, STEPS = 25, 10
WETNESS = "medium"
BATCH = 64


def measure(checkpoint: Path | None = None, *, images: int = 12, runs: int = 2) -> list[dict[str, Any]]:
    """Return the rows of this benchmark for benchmarks/results.json.

    Args:
        checkpoint: of a classifier of the drawn signs; None trains one for two epochs, about a minute.
        images: attacked in the comparison with the loops.
        runs: of which the medians are taken.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model = _classifier(checkpoint).to(device)
        optics, gan = (open_generator(name, model.input_size) for name in (f"optics:{WETNESS}", GAN))
        clean, labels = _right_ones(model, max(images, BATCH), device)
        where = torch.cuda.get_device_name() if device.type == "cuda" else "one core"
        with frozen(model):
            return [
                _loop_row(model, optics, clean[:images], labels[:images], runs, where, ""),
                _loop_row(model, gan, clean[:images], labels[:images], runs, where, "_gan"),
                _step_row(model, optics.generator.to(device), clean[:BATCH], labels[:BATCH], runs, where),
            ]
    finally:
        torch.set_num_threads(threads)


def _loop_row(
    model: Classifier, drops: OpenedGenerator, clean: Tensor, labels: Tensor, runs: int, where: str, ending: str
) -> dict[str, Any]:
    generator = drops.generator.to(clean.device)
    starts = _starts(len(clean), RESTARTS, generator, clean.device)
    attack: dict[str, Any] = {"generator": generator, "starts": starts, "steps": STEPS}
    fooled: dict[str, int] = {}

    def loop() -> None:
        fooled["loop"] = int(advrd_loop(model, clean, labels, **attack).sum())

    def batched() -> None:
        fooled["batched"] = int(advrd(model, clean, labels, batch_size=BATCH, **attack).fooled.sum())

    loop_s, batched_s = _in_turn([loop, batched], runs)
    if fooled["loop"] != fooled["batched"]:
        raise RuntimeError(f"the loops fool {fooled['loop']} images, the batch {fooled['batched']}")
    return {
        "name": f"advrd_loop_over_batched{ending}",
        "ratio": loop_s / batched_s,
        "ours": len(clean) / batched_s,
        "reference": len(clean) / loop_s,
        "reference_name": "the loops of Algorithm 1, one image at a time",
        "unit": "images/s",
        "better": "higher",
        "note": f"{model.model_name} at {clean.shape[-1]} px, {drops.described}, N={RESTARTS}, T={STEPS}, {where}; "
        f"both fool {fooled['batched']} of {len(clean)}: {1e3 * batched_s / len(clean):.0f} against "
        f"{1e3 * loop_s / len(clean):.0f} ms an image",
    }


def _step_row(
    model: Classifier, generator: nn.Module, clean: Tensor, labels: Tensor, runs: int, where: str
) -> dict[str, Any]:
    starts = _starts(len(clean), 1, generator, clean.device)
    # What no drops of these fool, no step of 1e-9 does: every row climbs to the end.
    firm = ~advrd_black_box(model, clean, labels, generator=generator, starts=starts).fooled
    clean, labels, starts = clean[firm], labels[firm], starts[firm]
    count = len(clean)
    attack = partial(advrd, model, clean, labels, generator=generator, starts=starts, step_size=1e-9, batch_size=count)
    pgd = PGD(model, device=clean.device, eps=16 / 255, steps=STEPS)

    def glass() -> None:
        for _ in range(STEPS):
            z = starts[:, 0].clone().requires_grad_()
            wet = generator(clean, z)
            torch.autograd.grad(wet, z, torch.ones_like(wet))

    long_s, short_s, pgd_s, glass_s = _in_turn(
        [partial(attack, steps=STEPS + 1), partial(attack, steps=1), lambda: pgd(clean, labels), glass], 2 * runs
    )
    step_ms, pgd_ms, glass_ms = (1e3 * seconds / STEPS / count for seconds in (long_s - short_s, pgd_s, glass_s))
    return {
        "name": "advrd_step_over_pgd_step",
        "ratio": (step_ms - glass_ms) / pgd_ms,
        "ours": step_ms - glass_ms,
        "reference": pgd_ms,
        "reference_name": "a gradient step of torchattack's PGD-10",
        "unit": "ms an image",
        "better": "lower",
        "note": f"without the generator's own {glass_ms:.2f} ms forward and backward of {step_ms:.2f} ms in all; "
        f"batch of {count}, {model.model_name} at {clean.shape[-1]} px, {where}",
    }


def _in_turn(works: list[Callable[[], object]], runs: int) -> list[float]:
    """Return the median time of each, in s; the first round warms caches up and does not count."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    times: list[list[float]] = [[] for _ in works]
    for run in range(runs + 1):
        for work, seconds in zip(works, times, strict=True):
            begin = clock()
            work()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if run:
                seconds.append(clock() - begin)
    return [statistics.median(seconds) for seconds in times]


def _starts(count: int, restarts: int, generator: nn.Module, device: torch.device) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randn(count, restarts, generator.latent_dim, generator=rng).to(device)


def _right_ones(model: Classifier, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the first test signs that the model gets right."""
    from natadv.data.load import load_dataset  # noqa: PLC0415

    signs = load_dataset("signs", "test")
    some = signs.subset(torch.arange(2 * count).numpy())
    clean = to_batch(some.images(model.input_size), device)
    labels = torch.tensor([model.labels.index(signs.labels[target]) for target in some.targets], device=device)
    right = is_right(model, clean, labels)
    return clean[right][:count], labels[right][:count]


def _classifier(checkpoint: Path | None) -> Classifier:
    if checkpoint is not None:
        return load_classifier(checkpoint).model
    from natadv.training.classifier import CHECKPOINT, train_classifier  # noqa: PLC0415
    from natadv.training.recipe import Recipe  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="natadv-advrd-") as name:
        train_classifier(Recipe(data="signs", epochs=2, device="cpu", threads=1), Path(name) / "run")
        return load_classifier(Path(name) / "run" / CHECKPOINT).model


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']:32s} {row['ratio']:6.2f} x {row['reference_name']:34s} {row['note']}")
