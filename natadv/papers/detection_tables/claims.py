"""The paper's claims, each a number that is above a limit where the claim holds, and a sentence on whether it is.

A claim is confirmed where the whole 95 % interval lies above its limit, contradicted where it lies below, and open
otherwise. The intervals are of the test images; another training's chance is not in them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from natadv.detection.banked import Family
from natadv.evaluation.resampled import Resampled, least_of, mean_of
from natadv.papers.detection import FAMILIES as PAPER_FAMILIES
from natadv.papers.detection import FIGURE_6_NATURAL, KINDS, TABLE_1, paper_mean
from natadv.papers.detection_tables.bench import Backbone, Taught
from natadv.papers.detection_tables.study import Study, alone
from natadv.papers.detection_tables.tables import FAMILIES, taught_of
from natadv.papers.number import Number

ALMOST_PERFECT = 99.0
"""Percent that we take "approximately perfectly" (Sec. 5.1) for."""
CHANCE = 50.0
_GRADIENT, _NOISE = ("fgsm", "pgd"), ("ni+", "ni-")


@dataclass(frozen=True)
class Claim:
    """One claim on one backbone.

    Attributes:
        stated: what the paper says, in short.
        measure: what the number is: a difference of two, in points, or where there is a limit an area, in percent.
        found: it, 0..1.
        limit: above it the claim holds, points or percent.
        kinds: whose test images it rests on.
        paper: the same of the paper's own numbers; None where they are not printed.
    """

    stated: str
    measure: str
    found: Resampled
    limit: float
    kinds: tuple[str, ...]
    paper: float | None = None

    @property
    def verdict(self) -> str:
        """Confirmed, contradicted or open."""
        low, high = (100 * end for end in self.found.interval)
        if low > self.limit:
            return "confirmed"
        return "contradicted" if high < self.limit else "open"


def claims(study: Study, backbone: Backbone) -> Iterator[Claim]:
    """Yield the claims that a bank's kinds allow to look at, on one backbone."""
    yield from _between(study, backbone)
    yield from _within(study, backbone)
    yield from _on_seen(study, backbone)
    for family in FAMILIES:
        yield from _on_n_plus_one(study, backbone, family)


def below_floor(study: Study, backbone: Backbone) -> tuple[str, ...]:
    """Return the kinds whose own detector is not surely better than their floor."""
    return tuple(kind for kind, floor in study.floors.items() if (study.seen(backbone, kind) - floor).interval[0] <= 0)


def sentences(study: Study, found: Sequence[tuple[Backbone, Claim]]) -> Iterator[str]:
    """Yield the lines of a page: each claim, and below it a sentence for each backbone."""
    yield "Confirmed: the whole 95 % interval lies where the claim puts it; contradicted: all of it lies elsewhere;"
    yield "open: neither. The intervals are of the test images, by kin; another training's chance is not in them."
    yield ""
    for stated in dict.fromkeys(claim.stated for _, claim in found):
        yield f"**{stated}**"
        yield ""
        for backbone, claim in found:
            if claim.stated == stated:
                low, high = (100 * end for end in claim.found.interval)
                unit, holds = ("%", f"; it holds above {claim.limit:g} %") if claim.limit else ("points", "")
                five = "the mean of the paper's five networks is"
                whose = f"the paper's {backbone.name} gives" if backbone.name in TABLE_1 else five
                paper = "" if claim.paper is None else f"; {whose} {claim.paper:.1f}"
                yield (
                    f"- {backbone.name}: {claim.verdict}. {claim.measure}: {100 * claim.found.value:.1f} {unit}"
                    f" [{low:.1f}, {high:.1f}]{holds}{paper}."
                )
        yield ""
    yield "**What is no detection.** Of these kinds an area is not surely above that of their clean originals:"
    yield ""
    for backbone in study.backbones:
        yield f"- {backbone.name}: {', '.join(below_floor(study, backbone)) or 'none'}."
    yield ""


def numbers(study: Study, found: Sequence[tuple[Backbone, Claim]]) -> Iterator[Number]:
    """Yield the numbers that the sentences say, a row a claim's measure, a column a backbone."""
    for backbone, claim in found:
        described, n = study.bench.setting(backbone), study.images(*claim.kinds)
        yield study.number(claim.measure, backbone.name, claim.found, claim.paper, described, n)


def _mean(study: Study, backbone: Backbone, learnt: Sequence[str], tested: Sequence[str]) -> Resampled:
    """Return the mean area of some kinds learnt on others tested, without those of a kind on itself."""
    pairs = [(row, column) for row, column in product(learnt, tested) if row != column]
    return mean_of([study.measured(backbone, alone(row)).areas[column] for row, column in pairs])


def _between(study: Study, backbone: Backbone) -> Iterator[Claim]:
    """Yield which categories are near to each other (Sec. 5.2)."""
    of = {family: study.bench.of_family(family) for family in FAMILIES}
    if not all(of.values()):
        return
    orders: tuple[tuple[Family, Family, Family, str], ...] = (
        ("natural", "semantic", "artificial", "Natural adversaries are close to semantic, not to artificial ones"),
        (
            "semantic",
            "natural",
            "artificial",
            "Detectors of semantic adversaries do better on natural than on artificial",
        ),
        (
            "artificial",
            "semantic",
            "natural",
            "Detectors of artificial adversaries do better on semantic than on natural",
        ),
    )
    for learnt, near, far, stated in orders:
        found = _mean(study, backbone, of[learnt], of[near]) - _mean(study, backbone, of[learnt], of[far])
        names = PAPER_FAMILIES
        paper = paper_mean(backbone.name, names[learnt], names[near])
        paper -= paper_mean(backbone.name, names[learnt], names[far])
        measure = f"{learnt.capitalize()} kinds learnt: mean area on {near} less that on {far} kinds"
        yield Claim(stated, measure, found, 0.0, (*of[near], *of[far]), paper)


def _within(study: Study, backbone: Backbone) -> Iterator[Claim]:
    """Yield whether what is learnt holds within a category, and for the gradient's attacks (Sec. 5.2 and Table 1)."""
    of = {family: study.bench.of_family(family) for family in FAMILIES if study.bench.of_family(family)}
    near = [(row, kind) for some in of.values() for row in some for kind in some if row != kind]
    far = [(row, kind) for one, some in of.items() for row in some for kind in study.bench.kinds if kind not in of[one]]
    if near and far:
        found = _over(study, backbone, near) - _over(study, backbone, far)
        paper = _paper_over(backbone, same=True) - _paper_over(backbone, same=False)
        stated = "An unseen kind of the category that was learnt is told better than one of another category"
        yield Claim(stated, "Mean area within less that across categories", found, 0.0, study.bench.kinds, paper)
    others = tuple(kind for kind in study.bench.kinds if kind not in of.get("artificial", ()))
    if others and set(_GRADIENT) <= set(study.bench.kinds):
        found = _mean(study, backbone, _GRADIENT, _GRADIENT) - _mean(study, backbone, _GRADIENT, others)
        beyond = (*PAPER_FAMILIES["natural"], *PAPER_FAMILIES["semantic"])
        paper = paper_mean(backbone.name, _GRADIENT, _GRADIENT) - paper_mean(backbone.name, _GRADIENT, beyond)
        measure = "FGSM and PGD learnt: area on the other of the two less the mean on other categories"
        yield Claim(
            "The gradient's attacks generalise to each other", measure, found, 0.0, (*_GRADIENT, *others), paper
        )


def _on_seen(study: Study, backbone: Backbone) -> Iterator[Claim]:
    """Yield what is said of kinds that were learnt (Sec. 5.1)."""
    there = [kind for kind in KINDS if kind in study.bench.kinds]
    noise = tuple(kind for kind in _NOISE if kind in there)
    if noise:
        found = mean_of([study.seen(backbone, kind) for kind in noise])
        stated = "Naturally inherited noise, once learnt, is found approximately perfectly"
        yield Claim(stated, f"Mean area of {' and '.join(noise)}", found, ALMOST_PERFECT, noise)
    if noise and "hsv" in there:
        found = mean_of([study.seen(backbone, kind) for kind in noise]) - study.seen(backbone, "hsv")
        measure = f"Mean area of {' and '.join(noise)} less that of hsv"
        yield Claim("HSV poses a slight challenge beside them", measure, found, 0.0, (*noise, "hsv"))
    for kind in ("misclassified", *PAPER_FAMILIES["natural"]):
        if kind in study.bench.kinds:
            stated = "Photographs that models misclassify, once learnt, are told from clean ones"
            yield Claim(stated, f"Area of {kind}", study.seen(backbone, kind), CHANCE, (kind,))
    others = tuple(kind for kind in there if kind != "deepfool")
    if others and "deepfool" in there:
        hardest = least_of([study.seen(backbone, kind) for kind in others])
        measure = f"Least area of {', '.join(others)} less that of deepfool"
        found = hardest - study.seen(backbone, "deepfool")
        yield Claim("DeepFool is the hardest of the kinds that were learnt", measure, found, 0.0, tuple(there))
    if set(_GRADIENT) <= set(there) and "deepfool" in there:
        found = mean_of([study.seen(backbone, kind) for kind in _GRADIENT]) - study.seen(backbone, "deepfool")
        measure = "Mean area of fgsm and pgd less that of deepfool"
        yield Claim("The gradient's attacks are easier than DeepFool", measure, found, 0.0, (*_GRADIENT, "deepfool"))
    kinds = study.bench.kinds
    if len(kinds) > 1:
        seen = mean_of([study.seen(backbone, kind) for kind in kinds])
        found = seen - _mean(study, backbone, kinds, kinds)
        stated = "Detectors drop significantly where the kind is unseen"
        yield Claim(stated, "Mean area on what was learnt less that on all else", found, 0.0, kinds)


def _on_n_plus_one(study: Study, backbone: Backbone, family: Family) -> Iterator[Claim]:
    """Yield whether classes of their own for all kinds of a category help (Sec. 5.3)."""
    kinds, teachings = study.bench.of_family(family), taught_of(study, family)
    if not teachings:
        return
    *single, classes, united = teachings

    def mean(taught: Taught, *, area: bool) -> Resampled:
        found = study.measured(backbone, taught)
        return mean_of([(found.areas if area else found.accuracies)[kind] for kind in kinds])

    stated = f"N + 1 classes of {family} kinds raise the mean on the category"
    both = set(kinds) == set(PAPER_FAMILIES["natural"])
    gain = FIGURE_6_NATURAL["N + 1"] - sum(FIGURE_6_NATURAL[kind] for kind in PAPER_FAMILIES["natural"]) / 2
    for area, name in ((False, "accuracy"), (True, "area")):
        found = mean(classes, area=area) - mean_of([mean(taught, area=area) for taught in single])
        measure = f"{family.capitalize()} N + 1: {name} less the mean of those that learnt one kind"
        yield Claim(stated, measure, found, 0.0, kinds, gain if both and not area else None)
    found = mean(classes, area=True) - mean(united, area=True)
    measure = f"{family.capitalize()} N + 1: area less that of all kinds learnt as one class"
    yield Claim(f"It is the classes that help, not only the further kinds ({family})", measure, found, 0.0, kinds)


def _over(study: Study, backbone: Backbone, pairs: Sequence[tuple[str, str]]) -> Resampled:
    return mean_of([study.measured(backbone, alone(row)).areas[kind] for row, kind in pairs])


def _paper_over(backbone: Backbone, *, same: bool) -> float:
    """Return the mean of the paper's cells within its categories, or across them."""
    family = {kind: name for name, some in PAPER_FAMILIES.items() for kind in some}
    cells = [
        (row, kind) for row, kind in product(KINDS, KINDS) if row != kind and (family[row] == family[kind]) == same
    ]
    return sum(paper_mean(backbone.name, (row,), (kind,)) for row, kind in cells) / len(cells)
