"""A detector, or RAIN's disagreement, on trial: all kinds of a bank's test part, and the attack that knows it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from natadv.batches import to_batch
from natadv.data.kin import kin_of
from natadv.detection.adaptive import AdaptiveMeasured, Passes, attack_both, nobody
from natadv.detection.banked import CLEAN, BankPapers, read_bank
from natadv.detection.checkpoint import LoadedDetector, load_detector
from natadv.detection.disagreement import disagreement_of
from natadv.detection.measure import BankMeasured, measured
from natadv.detection.report import PICTURE, TABLE, table
from natadv.detection.roc_picture import draw_roc
from natadv.detection.scoring import scorer_of
from natadv.detection.shown import adversarial_kinds, bank_digest, read_shown
from natadv.detection.thresholds import Threshold, threshold_at
from natadv.durable import file_error, replace_file
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate
from natadv.images import read_image
from natadv.training.checkpoint import LoadedClassifier, load_classifier
from natadv.training.rain.checkpoint import load_network

SUMMARY = "test.json"


@dataclass(frozen=True)
class Attack:
    """What the adaptive attack is to do.

    Attributes:
        model: checkpoint of the classifier that is to be fooled as well.
        count: clean test images that are attacked; all where there are fewer.
        epsilon: l_inf budget, 0..1.
        steps: of each way.
    """

    model: Path
    count: int
    epsilon: float
    steps: int = 40


def asked_attack(model: Path | None, count: int, levels: float, steps: int, false_alarms: float) -> Attack | None:
    """Return what the options of a command ask for; None: no attack.

    Args:
        model: --model.
        count: --adaptive.
        levels: --epsilon, of 255.
        steps: --steps.
        false_alarms: --false-alarms, the share that the threshold is for which the attack has to stay below.

    Raises:
        ConfigError: if one is missing or out of its range.
    """
    if (count > 0) != (model is not None):
        raise ConfigError("--adaptive and --model go together: how many images, and which classifier they are to fool")
    if steps < 1:
        raise ConfigError(f"--steps {steps}: expected 1 or more")
    if not 0 < false_alarms < 1 or not 0 < levels < 255:
        raise ConfigError(f"--false-alarms {false_alarms:g} --epsilon {levels:g}: expected 0..1 and 0..255")
    return None if model is None else Attack(model, count, levels / 255, steps)


def try_detector(
    detector: Path,
    bank: Path,
    out: Path,
    *,
    false_alarms: float = 0.01,
    attack: Attack | None = None,
    seed: int = 0,
    device: str = "cpu",
    report: Passes = nobody,
) -> tuple[BankMeasured, AdaptiveMeasured | None]:
    """Measure a detector on a bank's test part, and write the table, the ROC curves and a summary into `out`.

    Raises:
        ConfigError: if the detector, the bank and the classifier are of different sizes, the bank's test part has
            what the detector learnt, or `out` holds a test already.
        DataError: if one of them is missing or torn.
        ResourceError: if the disk is full.
    """
    loaded, papers = load_detector(detector), read_bank(bank)
    threshold = loaded.calibrated
    size = loaded.model.size_px
    if papers.size_px != size:
        raise ConfigError(f"{bank}: its images are {papers.size_px} px, the detector's were {size}; make one of {size}")
    _check_none_was_learnt(loaded, bank, papers)
    if attack is not None:
        attacked_classifier(attack.model, papers)  # it is refused before anything is measured
    with _new_folder(out):
        model = loaded.model.to(device)
        found = _measured_on(
            bank,
            papers,
            scorer_of(model),
            seen=_seen(loaded),
            threshold=threshold,
            false_alarms=false_alarms,
            seed=seed,
        )
        attacked = None
        if attack is not None:
            attacked = attack_detector(loaded, bank, papers, attack, seed=seed, device=device, report=report)
        about: dict[str, Any] = {"detector_sha256": loaded.digest, "bank_sha256": bank_digest(bank), "seed": seed}
        if attack is not None and attacked is not None:
            about["adaptive"] = {
                "epsilon": attack.epsilon,
                "steps": attack.steps,
                "plain": _plain(attacked.plain),
                "plain_unseen": _plain(attacked.plain_unseen),
                "both": _plain(attacked.adaptive),
            }
        _write(out, found, f"{loaded.built.backbone} on {bank.name}", about, threshold)
        return found, attacked


def try_disagreement(
    classifier: Path,
    rain: Path,
    bank: Path,
    out: Path,
    *,
    draws: int,
    false_alarms: float = 0.01,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[BankMeasured, Threshold]:
    """Measure the disagreement of RAIN's draws likewise; the threshold is that of the clean training images.

    Nothing of a bank trains this score, so all clean images of its training part choose the threshold. But the bank's
    images have to be ones that the classifier did not learn, as those of `natadv detect bank --split test` are: on what
    it knows by heart its draws agree more, and the threshold would be too low for all else.

    Raises:
        ConfigError: if classifier and bank are of different sizes, RAIN was tuned for another one, there are too few
            clean images, or `out` holds a test already.
        DataError: if one of the files is missing or torn.
        ResourceError: if the disk is full.
    """
    loaded, network, papers = load_classifier(classifier), load_network(rain), read_bank(bank)
    if loaded.input_size != (papers.size_px, papers.size_px):
        raise ConfigError(f"{bank}: its images are {papers.size_px} px, the classifier's {loaded.input_size[0]}")
    if loaded.digest[:12] not in str(network.provenance.get("classifier")):
        raise ConfigError(f"--rain {rain}: was not tuned for {classifier}; its draws would disagree about everything")
    with _new_folder(out):
        scorer = disagreement_of(
            network.rain().to(device).eval(), loaded.model.to(device), draws=draws, seed=seed, device=device
        )
        learnt = read_shown(bank, papers, "train", ())
        threshold = threshold_at(scorer(learnt.images), false_alarms, learnt.kin.tolist())
        found = _measured_on(bank, papers, scorer, threshold=threshold, false_alarms=false_alarms, seed=seed)
        about = {"classifier_sha256": loaded.digest, "rain_sha256": network.digest, "bank_sha256": bank_digest(bank)}
        _write(out, found, f"disagreement of {draws} draws on {bank.name}", about | {"draws": draws}, threshold)
        return found, threshold


def _measured_on(bank: Path, papers: BankPapers, scorer: Any, *, threshold: Threshold, **more: Any) -> BankMeasured:
    kinds = adversarial_kinds(papers)
    families = {kind: papers.kinds[kind].family for kind in kinds}
    return measured(scorer, read_shown(bank, papers, "test", kinds), families, threshold=threshold.value, **more)


def _check_none_was_learnt(loaded: LoadedDetector, bank: Path, papers: BankPapers) -> None:
    """Refuse a bank of the same data whose test part has what the detector was trained or calibrated by."""
    if papers.data != loaded.provenance.get("data"):
        return  # names of other data say nothing
    learnt = set(loaded.provenance.get("learnt", ()))
    tests = [image for image in papers.images if image.part == "test"]
    known = sum(kin_of(image.source) in learnt for image in tests)
    if known:
        raise ConfigError(
            f"{bank}: {known} of its {len(tests)} test images are of sources that the detector learnt from; make a bank"
            " with the --seed of the one that it learnt"
        )


def _seen(loaded: LoadedDetector) -> tuple[str, ...]:
    return tuple(loaded.provenance.get("kinds", ()))


def attack_detector(
    loaded: LoadedDetector,
    bank: Path,
    papers: BankPapers,
    attack: Attack,
    *,
    seed: int = 0,
    device: str = "cpu",
    report: Passes = nobody,
) -> AdaptiveMeasured:
    """Attack a detector, which is on `device`, and its classifier together, on clean test images drawn by `seed`.

    Raises:
        ConfigError: if the detector's training is not over, or the classifier does not fit the bank.
        DataError: if the classifier or an image cannot be read.
    """
    victim = attacked_classifier(attack.model, papers)
    clean = papers.of("test", CLEAN)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(clean))[: attack.count])
    chosen = [clean[place] for place in drawn]
    images = np.stack([read_image(bank / image.path) for image in chosen])
    where = torch.device(device)
    return attack_both(
        victim.model.to(where),
        loaded.model,
        loaded.calibrated.value,
        to_batch(images, where).contiguous(),
        torch.tensor([victim.labels.index(image.label) for image in chosen], device=where),
        [kin_of(image.source) for image in chosen],
        epsilon=attack.epsilon,
        steps=attack.steps,
        seed=seed,
        report=report,
    )


def attacked_classifier(path: Path, papers: BankPapers) -> LoadedClassifier:
    """Return the classifier that an attack on a bank's images is to fool.

    Raises:
        ConfigError: if it is no checkpoint, or does not fit the bank.
        DataError: if it cannot be read.
    """
    if path.suffix == ".onnx":
        raise ConfigError(f"--model {path}: expected a checkpoint.pt of `natadv train classifier`")
    victim = load_classifier(path)
    if victim.input_size != (papers.size_px, papers.size_px):
        side = victim.input_size[0]
        raise ConfigError(f"{path}: takes {side} px, the bank's images are {papers.size_px}; make a bank of {side}")
    for image in papers.of("test", CLEAN):
        if image.label not in victim.labels:
            raise ConfigError(f"{path}: has no label {image.label!r}, which the bank has; name the model of its data")
    return victim


@contextmanager
def _new_folder(out: Path) -> Iterator[None]:
    """Make a folder for a test, before hours of measuring; one that was made for nothing is taken away again.

    A folder with a test is refused: it is not written over.
    """
    if any((out / name).exists() for name in (TABLE, PICTURE, SUMMARY)):
        raise ConfigError(f"{out}: holds a test already; take another folder")
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(out, error) from error
    try:
        yield
    finally:
        if made and not any(out.iterdir()):
            out.rmdir()


def _write(out: Path, found: BankMeasured, title: str, about: Mapping[str, Any], threshold: Threshold) -> None:
    replace_file(out / TABLE, table(found))
    replace_file(out / PICTURE, draw_roc(found, title))
    alarms = {kind: _plain(rate) for kind, rate in found.alarms.items()}
    summary = {**about, "threshold": threshold.value, "false_alarms": threshold.false_alarms, "alarms": alarms}
    replace_file(out / SUMMARY, (json.dumps(summary, indent=1) + "\n").encode())


def _plain(rate: Rate) -> dict[str, Any]:
    return {"hits": rate.hits, "total": rate.total, "interval": list(rate.interval)}
