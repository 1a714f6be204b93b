"""Figure 4, Table 1 and Figure 6 as numbers (Agarwal et al. 2022, Sec. 5)."""

from collections.abc import Iterator

from natadv.detection.banked import Family
from natadv.evaluation.resampled import mean_of
from natadv.papers.detection import FAMILIES as PAPER_FAMILIES
from natadv.papers.detection import FIGURE_4_AVERAGE, FIGURE_6_NATURAL, TABLE_1
from natadv.papers.detection_tables.bench import Backbone, Taught
from natadv.papers.detection_tables.study import FLOOR, Study, alone
from natadv.papers.markdown import Section
from natadv.papers.number import Number, percentage

FAMILIES: tuple[Family, ...] = ("artificial", "semantic", "natural")
AVERAGE, ADAPTIVE, N_PLUS_ONE, UNITED = "average", "adaptive", "all, N + 1", "all, binary"


def seen(study: Study) -> Iterator[Number]:
    """Yield Figure 4: a row a kind, a column a backbone, and beside it the attack's success; last their average."""
    kinds = study.bench.kinds
    for kind in kinds:
        for backbone in study.backbones:
            found = study.seen(backbone, kind)
            described = study.bench.setting(backbone)
            yield study.number(kind, backbone.name, found, None, described, study.images(kind))
        for backbone in study.backbones:
            yield from _attacked(study, backbone, alone(kind), kind, f"{backbone.name}, {ADAPTIVE}")
        if kind in study.floors:
            yield study.number(kind, FLOOR, study.floors[kind], None, study.floor_setting, study.images(kind))
    for backbone in study.backbones:
        average = mean_of([study.seen(backbone, kind) for kind in kinds])
        paper = FIGURE_4_AVERAGE.get(backbone.name)
        described = study.bench.setting(backbone)
        yield study.number(AVERAGE, backbone.name, average, paper, described, study.images(*kinds))


def unseen(study: Study) -> Iterator[Number]:
    """Yield Table 1: a row a backbone and kind learnt, a column a kind not learnt; then means, and the attack."""
    kinds = study.bench.kinds
    for kind, found in study.floors.items():
        yield study.number(FLOOR, kind, found, None, study.floor_setting, study.images(kind))
    for backbone in study.backbones:
        described = study.bench.setting(backbone)
        for learnt in kinds:
            row = f"{backbone.name}: {learnt}"
            areas = study.measured(backbone, alone(learnt)).areas
            printed = TABLE_1.get(backbone.name, {}).get(learnt, {})
            for kind in kinds:
                if kind != learnt:
                    paper = printed.get(kind)
                    yield study.number(row, kind, areas[kind], paper, described, study.images(kind))
            means = {f"mean {family}": study.bench.of_family(family) for family in FAMILIES} | {AVERAGE: kinds}
            for name, some in means.items():
                if others := [kind for kind in some if kind != learnt]:
                    mean = mean_of([areas[kind] for kind in others])
                    yield study.number(row, name, mean, None, described, study.images(*others))
            yield from _attacked(study, backbone, alone(learnt), row, ADAPTIVE)


def sections(study: Study) -> tuple[Section, ...]:
    """Return the parts of Table 1, a category each, and what is left for its own."""
    found = [
        Section(f"Tested on {family} kinds", study.bench.of_family(family))
        for family in FAMILIES
        if study.bench.of_family(family)
    ]
    return (*found, Section("Means, and the attack that knows the detector", ("mean ", AVERAGE, ADAPTIVE)))


def drawn_columns(study: Study, name: str) -> tuple[str, ...]:
    """Return the columns of a figure that its picture shows: areas, and of figure 6 accuracies, as the paper's does."""
    names = tuple(backbone.name for backbone in study.backbones)
    if name == "figure-4":
        return (*names, FLOOR) if study.floors else names
    return tuple(f"{backbone} {what}" for backbone in names for what in ("accuracy", "AUC"))


def taught_of(study: Study, family: Family) -> tuple[Taught, ...]:
    """Return the teachings that Figure 6 compares in a category: each kind alone, all as classes, all as one."""
    kinds = study.bench.of_family(family)
    every = (
        Taught(f"{family}: {N_PLUS_ONE}", kinds, n_plus_one=True),
        Taught(f"{family}: {UNITED}", kinds),
    )
    return (*map(alone, kinds), *every) if len(kinds) > 1 else ()


def supervised(study: Study) -> Iterator[Number]:
    """Yield Figure 6: a row a teaching; of each backbone mean accuracy and area over the category, and the attack."""
    for family in FAMILIES:
        kinds = study.bench.of_family(family)
        for taught in taught_of(study, family):
            row = taught.name if len(taught.kinds) > 1 else f"{family}: {taught.name} alone"
            for backbone in study.backbones:
                measures, described = study.measured(backbone, taught), study.bench.setting(backbone)
                for column, found in (("accuracy", measures.accuracies), ("AUC", measures.areas)):
                    paper = _paper_accuracy(study, family, taught) if column == "accuracy" else None
                    mean = mean_of([found[kind] for kind in kinds])
                    yield study.number(row, f"{backbone.name} {column}", mean, paper, described, study.images(*kinds))
                yield from _attacked(study, backbone, taught, row, f"{backbone.name} {ADAPTIVE}")


def _paper_accuracy(study: Study, family: Family, taught: Taught) -> float | None:
    """Return the paper's mean accuracy, where the category has no other kinds than its own."""
    if family != "natural" or set(study.bench.of_family(family)) != set(PAPER_FAMILIES["natural"]):
        return None
    if taught.n_plus_one:
        return FIGURE_6_NATURAL["N + 1"]
    return FIGURE_6_NATURAL.get(taught.name)


def _attacked(study: Study, backbone: Backbone, taught: Taught, row: str, column: str) -> Iterator[Number]:
    rate = study.bench.attacked(backbone, taught)
    if rate is not None:
        yield percentage(row, column, rate, paper=None, setting=study.bench.attack_setting(backbone))
