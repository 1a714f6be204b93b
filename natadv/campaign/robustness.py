"""Run a robustness plan, in one process or several, and gather what came of it."""

import multiprocessing
import queue
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import torch
from torch import nn

from natadv.attacks.suite import Setting, setting
from natadv.campaign.robustness_plan import RobustnessPlan
from natadv.data.kin import counted_by
from natadv.errors import ResourceError
from natadv.evaluation.alive import alive
from natadv.evaluation.flags import result_flags, result_of, vanishing_flag
from natadv.evaluation.kin_rates import clean_passes, left_by_all, robust_rate
from natadv.evaluation.rates import KinRate
from natadv.evaluation.record import Record
from natadv.evaluation.robustness import CLEAN_PASSES, Measured, attack_all, blocks_of
from natadv.progress import Report, nth
from natadv.training.defenses import OpenedDefense, defense_flags
from natadv.training.trial import Trial


@dataclass(frozen=True)
class DefenseResult:
    """What the attacks did to one defended model.

    Attributes:
        name: of the defence.
        described: the same with digest and settings.
        clean: accuracy on the images that the bare model gets right, over all passes (Du et al. 2021, Eq. 3).
        whole: accuracy on all images that were drawn, over all passes.
        measured: of each attack; all repeats of one together.
        robust: what each attack left.
        together: what all attacks left: images that each of them, each time that it was run, failed to fool.
        flags: why the figures may mislead.
        bpda: whether attacks take the gradient of the identity for the defence's own, which it lacks.
    """

    name: str
    described: str
    clean: KinRate
    whole: KinRate
    measured: tuple[Measured, ...]
    robust: tuple[KinRate, ...]
    together: KinRate
    flags: tuple[str, ...]
    bpda: bool = False


@dataclass(frozen=True)
class RobustnessResult:
    """What a plan came to.

    Attributes:
        model: name and digest.
        data: name.
        bare: accuracy of the bare model on the images drawn; those that it gets right are attacked.
        defenses: what came of each.
        run: how, as one line: what decides the figures beside the attacks' settings.
    """

    model: str
    data: str
    bare: KinRate
    defenses: tuple[DefenseResult, ...]
    run: str = ""


def run_plan(
    plan: RobustnessPlan, *, device: str, workers: int = 1, threads: int = 1, report: Report
) -> RobustnessResult:
    """Attack what is not in the cache yet, then gather.

    Args:
        plan: what to do.
        device: "cpu" or "cuda"; with CUDA, process k computes on GPU k.
        workers: processes.
        threads: CPU threads of each of several processes.
        report: told of the progress.

    Raises:
        ConfigError: if names or settings are wrong.
        DataError: if a file is missing or damaged, or the model gets no image right.
        ResourceError: if the disk is full.
    """
    plan.check()
    if workers == 1:
        return _gathered(plan, device, report)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        said = manager.Queue()
        with _workers(workers, context) as pool:
            shards = [pool.submit(_shard, plan, device, number, workers, threads, said) for number in range(workers)]
            counts: dict[str, dict[int, int]] = {}  # of each job, in the order in which they are begun
            at: dict[int, str] = {}
            while not all(shard.done() for shard in shards):
                if any(shard.done() and shard.exception() for shard in shards):
                    break  # said below, and not when the others are done, hours later
                try:
                    number, what, done, total = said.get(timeout=0.2)
                except queue.Empty:
                    continue
                counts.setdefault(what, {})[number] = done
                at[number] = what
                last = min(at.values(), key=list(counts).index)  # where the slowest is
                report(last, sum(counts[last].values()), total)
            failed = [shard for shard in shards if shard.done() and shard.exception()]
            for shard in failed or shards:
                shard.result()
    return _gathered(plan, device, report)


@contextmanager
def _workers(count: int, context: multiprocessing.context.SpawnContext) -> Iterator[ProcessPoolExecutor]:
    """Give processes that are stopped where one fails."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, mp_context=context)
    try:
        yield pool
    except BaseException as error:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise ResourceError("a process was killed, perhaps for memory; take fewer --workers and go on") from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _shard(
    plan: RobustnessPlan, device: str, number: int, workers: int, threads: int, said: "queue.Queue[object]"
) -> None:
    """Attack every `workers`-th block of images."""
    torch.set_num_threads(threads)
    where = f"cuda:{number % torch.cuda.device_count()}" if device == "cuda" else device

    def report(what: str, done: int, total: int) -> None:
        said.put((number, what, done, total))

    _attacked(plan, where, report, slice(number, None, workers))


@dataclass(frozen=True)
class _Run:
    """One defended model and what was measured of it, on the images of a trial."""

    trial: Trial
    defense: OpenedDefense
    model: nn.Module
    measured: tuple[Measured, ...]


def _attacked(plan: RobustnessPlan, device: str, report: Report, part: slice = slice(None)) -> list[_Run]:
    trial = plan.trial(device)
    for name in plan.attacks:
        setting(name).check(trial.size)
    defended = [(defense, defense.before(trial.victim.model, seed=plan.seed).to(device)) for defense in plan.opened()]
    planned = sum(len(plan.settings(model)) for _, model in defended)
    number = count(1)
    runs = []
    for defense, model in defended:
        measured = tuple(
            _measured(plan, trial, defense, model, one, nth(report, next(number), planned), part)
            for one in plan.settings(model)
        )
        runs.append(_Run(trial, defense, model, measured))
    return runs


def _measured(
    plan: RobustnessPlan,
    trial: Trial,
    defense: OpenedDefense,
    model: nn.Module,
    attack: Setting,
    report: Report,
    part: slice,
) -> Measured:
    repeats = plan.repeats if attack.seeded or getattr(model, "randomised", False) else 1
    mine = sum(map(len, blocks_of(len(trial.images), plan.batch_size, part)))
    records: list[Record] = []
    for repeat in range(repeats):

        def said(done: int, before: int = repeat * mine) -> None:
            report(f"{attack.name} on {defense.name}", before + done, repeats * len(trial.images))

        with alive(model, said) as told:
            found = attack_all(
                model,
                trial.images,
                trial.labels,
                attack,
                cache=plan.cache(trial, defense, attack, repeat),
                seed=plan.seed + repeat,
                batch_size=plan.batch_size,
                part=part,
                report=told,
            )
        records += found.records
    return Measured(attack, tuple(records), repeats)


def _gathered(plan: RobustnessPlan, device: str, report: Report) -> RobustnessResult:
    runs = _attacked(plan, device, report)
    trial = runs[0].trial
    height, width = trial.size
    how = (
        f"{width}x{height} px; seed {plan.seed}; {plan.batch_size} images a block; runs by chance: {plan.repeats}; "
        f"intervals {counted_by(trial.kin)}"
    )
    judged = tuple(_judged(plan, run) for run in runs)
    return RobustnessResult(trial.victim.described, trial.data, trial.clean, judged, how)


def _judged(plan: RobustnessPlan, run: _Run) -> DefenseResult:
    """Add clean accuracy and flags to what was measured."""
    model, trial = run.model, run.trial
    randomised = bool(getattr(model, "randomised", False))
    results = [result_of(measured, trial.kin) for measured in run.measured]
    flags: list[str | None] = [*result_flags(results, randomised=randomised, repeats=plan.repeats)]
    if any(result.setting.uses == "gradients" for result in run.measured):
        flags.append(vanishing_flag(model, trial.images, trial.labels, seed=plan.seed))
    flags += defense_flags(run.defense, trial.victim.described, trial.size)
    (height, width), (tall, wide) = trial.size, trial.victim.input_size
    if trial.size != trial.victim.input_size:
        flags.append(f"images are attacked at {width}x{height} px, and {trial.victim.name} is for {wide}x{tall}")
    passes = CLEAN_PASSES if randomised else 1
    # Behind a defence, some that the bare model misses are right: it is fairly compared with none by all images.
    (right, of), (missed, missed_of) = (
        clean_passes(model, some.images, some.labels, some.kin, passes=passes, seed=plan.seed)
        for some in (trial, trial.missed)
    )
    return DefenseResult(
        name=run.defense.name,
        described=run.defense.described,
        clean=KinRate.of(right, of),
        whole=KinRate.of(right + missed, of + missed_of),
        measured=run.measured,
        robust=tuple(robust_rate(measured, trial.kin) for measured in run.measured),
        together=left_by_all(run.measured, trial.kin),
        flags=tuple(filter(None, flags)),
        bpda=not getattr(model, "differentiable", True),
    )
