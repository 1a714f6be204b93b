"""A detector in training: its epochs, the state between them, and the threshold at the end."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import ReduceLROnPlateau

from natadv.batches import to_batch
from natadv.detection.checkpoint import Built, LoadedDetector, save_detector
from natadv.detection.detector import Detector
from natadv.detection.material import Material
from natadv.detection.networks import frozen_share, seeded_network
from natadv.detection.recipe import DetectorRecipe
from natadv.detection.scoring import logits_of
from natadv.detection.shown import Shown
from natadv.detection.thresholds import Threshold, threshold_at
from natadv.durable import replace_file
from natadv.errors import ConfigError
from natadv.evaluation.calibration import fit_temperature
from natadv.evaluation.roc import area_under_curve, curve_measures
from natadv.training.progress import Report, Step
from natadv.training.run_folder import STATE
from natadv.training.versions import package_versions

DETECTOR, LAST, METRICS, SUMMARY = "detector.pt", STATE, "metrics.jsonl", "metrics.json"
_ORDER, _DROPOUT, _BOOTSTRAP = 42, 43, 44  # streams of chance
_FAR = 3.0
"""Times a guess's loss: a kind that cannot be told leaves it near 1, and so do the first epochs of a fair run."""


class Run:
    """A detector in training."""

    def __init__(
        self, fabric: Fabric, recipe: DetectorRecipe, out: Path, material: Material, last: LoadedDetector | None
    ) -> None:
        self._fabric, self._recipe, self._out, self._material = fabric, recipe, out, material
        self.epoch, self._history = 0, list[dict[str, Any]]()
        if last is None:
            weights = Path(recipe.weights) if recipe.weights else None
            network, onnx = seeded_network(
                recipe.backbone, len(material.classes), seed=recipe.seed, weights=weights, frozen=recipe.frozen
            )
            self._built = Built(recipe.backbone, frozen_share(network), onnx)
            self._bare = Detector(network, classes=material.classes, size_px=material.size_px)
        else:
            self._built, self._bare = last.built, last.model
        trained = [weight for weight in self._bare.parameters() if weight.requires_grad]
        self._network, self._optimizer = fabric.setup(self._bare.network, torch.optim.Adam(trained, lr=recipe.rate))
        self._bare.to(fabric.device)
        self._plateau = ReduceLROnPlateau(self._optimizer, factor=1 / recipe.drop, patience=recipe.patience)
        if last is not None and last.training is not None:
            state = last.training
            self._optimizer.load_state_dict(state["optimizer"])
            self._plateau.load_state_dict(state["plateau"])
            self.epoch, self._history = state["epoch"], state["history"]
        self._targets = material.targets()
        self._weights = _balanced(self._targets, len(material.classes)).to(fabric.device)

    def train_epoch(self, report: Report) -> None:
        """Train one epoch, measure on what was held back, and keep the state."""
        recipe, epoch = self._recipe, self.epoch + 1
        chance = np.random.default_rng([recipe.seed, _ORDER, epoch])
        order = chance.permutation(len(self._targets))
        # A batch norm has nothing to go by in a batch of one.
        parts = np.split(order, range(recipe.batch_size, len(order), recipe.batch_size))
        batches = [part for part in parts if len(part) > 1]
        gpus = [self._fabric.device] if self._fabric.device.type == "cuda" else []
        total = 0.0
        self._bare.train()
        with torch.random.fork_rng(devices=gpus):
            torch.manual_seed(recipe.seed * 1_000_003 + _DROPOUT + epoch * 7919)
            for step, part in enumerate(batches):
                total += self._step(part, chance.random(len(part)) < recipe.mirrored)
                if not math.isfinite(total):
                    raise ConfigError(
                        f"{self._out}: the loss is {total} in epoch {epoch}, step {step + 1}; try a lower --lr"
                        f" (it is {self._optimizer.param_groups[0]['lr']:g})"
                    )
                done, steps = self.epoch * len(batches) + step + 1, recipe.epochs * len(batches)
                report(Step(done, steps, epoch, recipe.epochs, total / (step + 1)))
        loss, self.epoch = total / len(batches), epoch
        self._plateau.step(loss)
        self._history.append({"epoch": epoch, "loss": loss, "rate": self._rate(), "auc": self._held_area()})
        self._keep()
        shown = f"loss {loss:.3f}, AUC on images held back {100 * self._history[-1]['auc']:.1f} %"
        report(Step(done, steps, epoch, recipe.epochs, loss, shown))

    def finish(self, device: str) -> dict[str, Any]:
        """Choose temperature and threshold, write the result, and return its metrics.

        Raises:
            ConfigError: if what was learnt is worse than nothing.
        """
        held, recipe = self._material.held, self._recipe
        self._check_learnt()
        logits = self._held_logits()
        both = torch.stack([torch.zeros_like(logits), logits], 1)
        # It softens alone: where all that was held back is told apart, no sharpness would be enough.
        temperature = max(1.0, fit_temperature(both, torch.from_numpy(~held.clean).long()))
        scaled = (logits / temperature).double().numpy()
        chosen = choose_threshold(held, scaled, recipe.false_alarms)
        self._bare.calibrate(temperature, chosen.value)
        threshold = replace(chosen, value=0.5)
        area, _ = curve_measures(
            scaled[held.clean],
            scaled[~held.clean],
            held.kin[held.clean].tolist(),
            held.kin[~held.clean].tolist(),
            false_alarms=recipe.false_alarms,
            rng=np.random.default_rng([recipe.seed, _BOOTSTRAP]),
        )
        metrics = {
            **self._history[-1],
            "auc": area.value,
            "auc_interval": [area.low, area.high],
            "temperature": temperature,
            "offset": chosen.value,
            **_in_plain(threshold),
        }
        save_detector(
            self._out / DETECTOR,
            self._bare.eval(),
            self._built,
            threshold=threshold,
            metrics=metrics,
            recipe=recipe.model_dump(mode="json"),
            provenance=self._material.provenance | {"versions": package_versions()},
        )
        metrics |= {"device": device}
        replace_file(self._out / SUMMARY, (json.dumps(metrics, indent=1) + "\n").encode())
        return metrics

    def _step(self, part: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> float:
        images = self._material.train.images[part]
        images[mirrored] = images[mirrored, :, ::-1]
        targets = torch.from_numpy(self._targets[part]).to(self._fabric.device)
        self._optimizer.zero_grad()
        loss = cross_entropy(self._network(to_batch(images, self._fabric.device)), targets, weight=self._weights)
        self._fabric.backward(loss)
        self._optimizer.step()
        return float(loss.detach())

    def _rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def _held_area(self) -> float:
        held = self._material.held
        scores = self._held_logits().double().numpy()
        return area_under_curve(scores[held.clean], scores[~held.clean])[0]

    def _held_logits(self) -> Tensor:
        logits = logits_of(self._bare, self._material.held.images)
        if not logits.isfinite().all():
            raise ConfigError(
                f"{self._out}: after epoch {self.epoch} its logits are no numbers; try a lower --lr (it is"
                f" {self._rate():g})"
            )
        return logits

    def _check_learnt(self) -> None:
        """Refuse weights that were thrown about and never came back: a loss that is far above a guess's."""
        loss, guessed = self._history[-1]["loss"], math.log(len(self._material.classes))
        if loss > _FAR * guessed:
            raise ConfigError(
                f"{self._out}: it learnt nothing: the loss is {loss:.3g} in the last epoch, where a guess has"
                f" {guessed:.3g}; try a lower --lr (it was {self._recipe.rate:g})"
            )

    def _keep(self) -> None:
        state = {
            "epoch": self.epoch,
            "history": self._history,
            "optimizer": self._optimizer.state_dict(),
            "plateau": self._plateau.state_dict(),
        }
        save_detector(
            self._out / LAST,
            self._bare,
            self._built,
            threshold=None,
            metrics=self._history[-1],
            recipe=self._recipe.model_dump(mode="json"),
            provenance=self._material.provenance,
            training=state,
        )
        replace_file(self._out / METRICS, "".join(json.dumps(line) + "\n" for line in self._history).encode())


def choose_threshold(held: Shown, scores: NDArray[np.float64], false_alarms: float) -> Threshold:
    """Return the threshold that the clean images among what was held back choose.

    Args:
        held: all that was held back.
        scores: of it, (n,).
        false_alarms: see `threshold_at`.

    Raises:
        ConfigError: if they are of too few kin.
    """
    kin = held.kin[held.clean].tolist()
    return threshold_at(scores[held.clean], false_alarms, kin, mend="make a larger bank, hold more back (up to half)")


def _balanced(targets: NDArray[np.int64], classes: int) -> Tensor:
    """Return a weight for each class that makes all weigh alike, (classes,), 1 where they are as many."""
    counts = np.bincount(targets, minlength=classes)
    return torch.from_numpy(len(targets) / (classes * counts)).float()


def _in_plain(threshold: Threshold) -> dict[str, Any]:
    low, high = threshold.above.interval
    return {
        "threshold": threshold.value,
        "false_alarms": threshold.false_alarms,
        "above": threshold.above.hits,
        "clean_images": threshold.above.total,
        "clean_kin": threshold.kin,
        "above_interval": [low, high],
    }
