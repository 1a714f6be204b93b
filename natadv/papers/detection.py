"""The numbers of "Exploring Robustness Connection between Artificial and Natural Adversarial Examples".

By Agarwal et al. 2022; areas under ROC curves and accuracies in percent. What its figures show is not printed as
numbers; here is of them only what its text says. Its kinds have the names of our banks' kinds.
"""

from collections.abc import Mapping
from math import nan

KINDS = ("imagenet-a", "imagenet-a-plus", "deepfool", "fgsm", "pgd", "ni+", "ni-", "hsv")
"""Of Table 1, in its order: two natural ones, three artificial, three semantic."""

FAMILIES: Mapping[str, tuple[str, ...]] = {"natural": KINDS[:2], "artificial": KINDS[2:5], "semantic": KINDS[5:]}
"""Its categories (Sec. 3)."""

_SEEN = nan
_PRINTED: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "vgg16": (
        (_SEEN, 93.66, 55.24, 57.14, 52.17, 70.74, 61.5, 59.63),
        (95.51, _SEEN, 54.66, 54.75, 51.92, 67.22, 61.78, 55.87),
        (62.66, 58.98, _SEEN, 95.16, 83.97, 79.19, 73.34, 52.09),
        (59.44, 52.25, 60.33, _SEEN, 88.1, 70.98, 70.51, 50.94),
        (55.48, 45.25, 61.24, 98.87, _SEEN, 79.31, 79.87, 66.97),
        (70.14, 62.4, 56.7, 74.97, 68.37, _SEEN, 70.44, 62.84),
        (72.24, 64.38, 55.64, 69.14, 66.22, 62.63, _SEEN, 60.71),
        (71.33, 69.87, 53.53, 58.48, 52.58, 56.52, 49.53, _SEEN),
    ),
    "densenet121": (
        (_SEEN, 96.88, 54.75, 53.13, 53.04, 73.02, 64.38, 64.99),
        (97.71, _SEEN, 53.7, 53.52, 52.71, 73.05, 62.23, 57.9),
        (71.18, 68.6, _SEEN, 95.05, 84.06, 74.15, 51.69, 68.14),
        (66.45, 57.06, 60.57, _SEEN, 92.59, 79.59, 53.06, 78.21),
        (69.65, 62.5, 59.68, 97.26, _SEEN, 83.33, 72.08, 84.78),
        (72.65, 66.03, 53.35, 61.8, 62.33, _SEEN, 91.56, 67.24),
        (78.42, 74.19, 50.72, 51.17, 57.24, 94.01, _SEEN, 68.02),
        (51.15, 55.61, 52.19, 50.53, 48.72, 47.01, 57.45, _SEEN),
    ),
    "mobilenet": (
        (_SEEN, 93.99, 59.9, 63.84, 56.1, 65.59, 72.84, 47.36),
        (96.09, _SEEN, 56.8, 64.53, 55.79, 71.4, 72.59, 46.9),
        (55.31, 53.75, _SEEN, 97.27, 92.09, 47.5, 43.12, 45.45),
        (73.04, 65.17, 60.49, _SEEN, 91.22, 82.18, 76.94, 57.67),
        (71.64, 71.21, 90.46, 97.83, _SEEN, 79.12, 76.97, 64.42),
        (88.77, 81.99, 54.66, 68.19, 60.12, _SEEN, 87.08, 55.1),
        (82.29, 76.95, 53.21, 60.21, 60.06, 86.16, _SEEN, 63.79),
        (31.66, 31.68, 52.17, 70.12, 60.86, 59.38, 58.76, _SEEN),
    ),
    "inception_v3": (
        (_SEEN, 90.78, 55.87, 61.54, 57.62, 69.67, 68.62, 58.04),
        (93.01, _SEEN, 56.19, 63.07, 58.57, 73.89, 72.0, 59.66),
        (57.7, 54.53, _SEEN, 95.65, 88.0, 68.91, 55.25, 48.34),
        (73.78, 65.71, 59.07, _SEEN, 85.78, 79.14, 71.17, 66.48),
        (71.95, 63.0, 60.02, 96.83, _SEEN, 81.7, 75.79, 70.57),
        (67.58, 58.71, 55.16, 71.95, 63.87, _SEEN, 62.56, 48.81),
        (76.87, 66.75, 55.71, 72.73, 68.01, 82.62, _SEEN, 58.14),
        (62.22, 58.48, 54.12, 63.35, 55.73, 65.24, 50.66, _SEEN),
    ),
    "xception": (
        (_SEEN, 96.03, 55.26, 58.91, 51.88, 69.58, 63.77, 49.83),
        (95.56, _SEEN, 55.18, 59.72, 55.85, 71.8, 70.66, 49.01),
        (64.73, 61.9, _SEEN, 98.14, 92.23, 59.75, 58.36, 39.91),
        (75.94, 68.66, 59.93, _SEEN, 88.05, 83.8, 77.46, 62.55),
        (75.73, 67.39, 60.08, 98.6, _SEEN, 86.64, 80.95, 68.74),
        (74.21, 69.33, 55.5, 70.5, 62.04, _SEEN, 46.81, 61.72),
        (71.05, 68.72, 54.85, 69.72, 64.84, 40.2, _SEEN, 52.23),
        (42.09, 44.44, 50.58, 55.19, 49.47, 47.39, 45.81, _SEEN),
    ),
}


def _matrix(rows: tuple[tuple[float, ...], ...]) -> dict[str, dict[str, float]]:
    return {
        trained: {kind: area for kind, area in zip(KINDS, areas, strict=True) if kind != trained}
        for trained, areas in zip(KINDS, rows, strict=True)
    }


TABLE_1: Mapping[str, Mapping[str, Mapping[str, float]]] = {name: _matrix(rows) for name, rows in _PRINTED.items()}
"""Table 1: areas by backbone, kind trained on, and kind tested on; what was trained on is in Figure 4."""

FIGURE_4_AVERAGE: Mapping[str, float] = {"vgg16": 93.02, "densenet121": 92.63}
"""Mean area over its eight kinds where the detector has learnt the kind (Sec. 5.1)."""

FIGURE_6_NATURAL: Mapping[str, float] = {"N + 1": 90.1, "imagenet-a": 88.5, "imagenet-a-plus": 86.95}
"""Mean accuracy on its natural kinds by what was learnt (Sec. 5.3): 90.1 "is 1.6% and 3.15% better" than the others.

Of which network it does not say. Of the artificial kinds it says that all together gain 0.47 to 7.17.
"""

TITLES: Mapping[str, str] = {
    "figure-4": "Figure 4. Kinds that the detector has learnt: area under the ROC curve (%)",
    "table-1": "Table 1. Kinds that the detector has not learnt: area under the ROC curve (%), a row a kind learnt",
    "figure-6": "Figure 6. One kind of a category learnt, or all: mean over the category's kinds (%)",
    "claims": "Claims of Agarwal et al. 2022, and what we found",
}
"""Above each table and figure."""


def paper_mean(backbone: str, learnt: tuple[str, ...], tested: tuple[str, ...]) -> float:
    """Return the mean of Table 1's areas of some kinds learnt on others tested, without those of a kind on itself.

    Args:
        backbone: of the paper; of one that it does not have, the mean of its five is taken.
        learnt: rows.
        tested: columns.
    """
    tables = [TABLE_1[backbone]] if backbone in TABLE_1 else list(TABLE_1.values())
    found = [table[row][column] for table in tables for row in learnt for column in tested if row != column]
    return sum(found) / len(found)
