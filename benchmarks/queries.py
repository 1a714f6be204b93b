"""How many queries the black-box attacks take, to stand beside what their authors report on ImageNet.

python -m benchmarks.queries --data FOLDER --model mobilenet_v2_224.onnx --cache runs/queries --out results/rain/queries

NES and RayS at the budget of the query literature, l_inf 0.05 and 10,000 queries an image, on images that the model has
right. RayS' authors fool nearly all images of ImageNet with some 500 to 800 queries on average (Chen & Gu 2020). The
median is over all images, one that was not fooled counting as more than all others; the mean over those fooled, as the
authors count. Stopped, the same command goes on after the last batch.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from natadv.attacks.suite import setting
from natadv.batches import to_batch
from natadv.data.load import load_dataset
from natadv.durable import replace_file
from natadv.evaluation.robustness import Measured, attack_all, attack_cache
from natadv.freed_memory import keep_freed_memory
from natadv.training.pictures import read_pictures
from natadv.training.victim import open_victim, targets_of

EPSILON, QUERIES, BATCH = 0.05, 10_000, 8


def figures(measured: Measured) -> dict[str, Any]:
    """Return what an attack took: images, share fooled with its interval, mean and median queries."""
    low, high = measured.interval
    fooled = sorted(record.queries for record in measured.records if record.fooled)
    middle = (measured.images - 1) // 2
    return {
        "images": measured.images,
        "fooled": len(fooled) / measured.images,
        "interval": [1 - high, 1 - low],
        "mean_of_fooled": mean(fooled) if fooled else None,
        "median": fooled[middle] if middle < len(fooled) else None,
        "quarters_of_fooled": np.percentile(fooled, (25, 50, 75)).tolist() if fooled else None,
    }


def main() -> None:
    """Attack, and write OUT.json after each attack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--attacks", nargs="+", default=["rays", "nes"])
    parser.add_argument("--cache", type=Path, default=Path("runs/queries"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    victim = open_victim(arguments.model)
    dataset = load_dataset(arguments.data, "test")
    chosen = np.sort(np.random.default_rng(0).permutation(len(dataset))[: arguments.count])
    dataset = dataset.subset(chosen)
    images = to_batch(read_pictures(dataset, victim.input_size).images, torch.device("cpu"))
    targets = torch.from_numpy(targets_of(victim, dataset))
    with torch.no_grad():
        right = torch.cat([victim.model(some).argmax(1) for some in images.split(BATCH)]) == targets
    images, targets = images[right], targets[right]
    results: dict[str, Any] = {"model": victim.described, "data": dataset.name, "epsilon": EPSILON, "queries": QUERIES}
    for name in arguments.attacks:
        plain = setting(name)
        attack = dataclasses.replace(plain, options={**plain.options, "epsilon": EPSILON}).within(QUERIES)
        cache = attack_cache(
            arguments.cache,
            victim.described,
            "none",
            attack,
            size=victim.input_size,
            seed=0,
            batch_size=BATCH,
            device="cpu",
        )
        measured = attack_all(
            victim.model,
            images,
            targets,
            attack,
            cache=cache,
            batch_size=BATCH,
            report=lambda done, name=name: print(name, done, "of", len(images), file=sys.stderr, flush=True),  # type: ignore[misc]
        )
        results[name] = figures(measured)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(arguments.out.with_suffix(".json"), json.dumps(results, indent=1).encode() + b"\n")
        print(name, json.dumps(results[name]))


if __name__ == "__main__":
    main()
