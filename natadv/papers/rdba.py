"""The numbers of "Natural Backdoor Attacks on Deep Neural Networks via Raindrops" (Zhao et al. 2022), in percent.

What its figures show is not printed as numbers; here is of them only what its text says.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from natadv.papers.markdown import Section

_Key, _Value = TypeVar("_Key"), TypeVar("_Value")

_COLUMNS = (
    "clean accuracy",
    "blended accuracy",
    "blended ASR",
    "badnets accuracy",
    "badnets ASR",
    "rdba accuracy",
    "rdba ASR",
)

TABLE_1: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    data: {model: dict(zip(_COLUMNS, printed, strict=True)) for model, printed in rows.items()}
    for data, rows in {
        "gtsrb": {
            "resnet18": (93.87, 90.04, 99.80, 93.05, 99.14, 93.52, 99.94),
            "vgg16": (92.31, 92.83, 99.97, 93.22, 97.39, 92.86, 100.0),
        },
        "imagenet": {
            "resnet18": (87.30, 85.12, 99.32, 84.43, 97.24, 86.70, 99.25),
            "vgg16": (86.90, 85.34, 99.46, 84.13, 92.05, 87.18, 99.19),
        },
    }.items()
}
"""Table 1 on twelve classes, by data and model, then row and column: accuracy is BTA of the clean model, else ATA."""


def printed(tables: Mapping[str, Mapping[_Key, _Value]], data: str) -> Mapping[_Key, _Value]:
    """Return what the paper has of data of this name, as gtsrb-2019 or imagenet-12; nothing of others.

    Args:
        tables: by the paper's names of data.
        data: as `natadv.data.load.load_dataset` takes it.
    """
    return next((rows for name, rows in tables.items() if name in Path(data).name.lower()), {})


SECTIONS: Mapping[str, Sequence[Section]] = {
    "table-1": (
        Section("Rendered rain that nobody planted: what became the target", ("rendered",)),
        Section("Photographed and filmed rain: what became the target", ("photographed", "filmed")),
    )
}
"""Of tables too wide for a page."""

TABLE_2: Mapping[float, Mapping[str, float]] = {
    0.5: {"ATA": 87.15, "ASR": 96.42, "P_BA": 0.25},
    1: {"ATA": 86.34, "ASR": 98.85, "P_BA": 0.56},
    2: {"ATA": 87.05, "ASR": 99.12, "P_BA": 0.15},
    3: {"ATA": 86.86, "ASR": 99.32, "P_BA": 0.04},
    4: {"ATA": 87.03, "ASR": 99.39, "P_BA": 0.13},
    5: {"ATA": 86.97, "ASR": 99.52, "P_BA": 0.07},
    6: {"ATA": 87.18, "ASR": 99.10, "P_BA": 0.28},
}
"""Table 2, by alpha: VGG16 on twelve classes of ImageNet."""

FIGURE_3: Mapping[str, Mapping[float, float]] = {
    "gtsrb": {0.02: 100.0, 0.04: 100.0},
    "imagenet": {0.02: 95.0, 0.04: 99.0, 0.09: 99.19},
}
"""ASR by injection rate (Sec. 5.2.2, 5.3.1, and Table 1 at 0.09); "close to" and "almost" 100 of GTSRB."""

FIGURE_5: Mapping[str, Mapping[int, float]] = {
    "rdba": {0: 99.19, 10: 97.0},
    "blended": {0: 99.46},
    "badnets": {0: 92.05, 10: 30.0},
}
"""ASR by epoch of fine-tuning, VGG16 on ImageNet (Sec. 5.3.2, and Table 1 at 0)."""

FIGURE_6: Mapping[float, Mapping[int, float]] = {
    0.5: {0: 96.42, 10: 90.0},
    1: {0: 98.85, 10: 90.0},
    2: {0: 99.12, 10: 100.0},
    3: {0: 99.32, 10: 100.0},
    4: {0: 99.39},
    5: {0: 99.52},
    6: {0: 99.10, 10: 100.0},
}
"""The same of RDBA by alpha; "near 90 %" and "near 100 %" in the text, before any epoch Table 2's."""

FIGURE_7: Mapping[str, Mapping[float, float]] = {"blended": {40: 40.0}}
"""ASR by percent of weights pruned on GTSRB; RDBA's is "above 80 %" at 50."""

TITLES: Mapping[str, str] = {
    "table-1": "Table 1. Backdoors: accuracy (clean: BTA, else ATA) and attack success (%), and natural rain",
    "table-2": "Table 2. RDBA by density alpha: accuracy and attack success (%)",
    "figure-1": "Figures 1 and 4. Test images with each trigger, and with rain of several densities alpha",
    "figure-3": "Figure 3. RDBA by injection rate: accuracy and attack success (%)",
    "figure-5": "Figure 5. Attack success (%) by epoch of fine-tuning on clean images",
    "figure-6": "Figure 6. RDBA's attack success (%) by epoch of fine-tuning, for densities alpha",
    "figure-7": "Figure 7. Attack success (%) by share of pruned weights, fine-tuned after",
    "figure-7-channels": "Figure 7 by Liu et al. Attack success (%) by share of pruned channels, fine-tuned after",
    "figure-8": "Figure 8. Grad-CAM and Grad-CAM++ maps of triggered images",
    "inspected": "Inspection. What `inspect` says of table 1's models (deviations; 100: yes), and STRIP's filter (%)",
    "unstated": "Unstated parts. RDBA with one of them changed at a time: change (levels), accuracy, success (%)",
    "stealth": "Stealth. Distance of triggered images from clean ones, and a detector's area under the curve",
}
"""Above each table and figure."""
