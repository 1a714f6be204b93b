"""The numbers that AdvRD's paper publishes: Liu et al. 2023, "Adversarial Raindrops", Sec. 4.

Success rates are percentages. Of Figure 7 the text gives the axes alone; its curves are not read off here. Their points
at eta = 2 are the AdvRD row of Table 3, which was made with eta = 2 (Sec. 4.1).
"""

from collections.abc import Mapping

TABLE_1: Mapping[str, float] = {"FID(Pf1, Pr2)": 34.03, "FID(Pr1, Pr2)": 33.28, "rfid": 1.023}
"""Likeness to real raindrops; mean of ten random halves of RDR."""

TABLE_2: Mapping[str, Mapping[str, float]] = {
    attack: dict(
        zip(
            ("Inc-v3", "Inc-v4", "IncRes-v2", "Res-101", "Rob-Res50", "IncRes-v2ens", "Average"),
            rates,
            strict=True,
        )
    )
    for attack, rates in {
        "FGSM": (80.0, 85.1, 60.1, 87.8, 86.1, 30.7, 71.6),
        "BIM": (100.0, 99.4, 99.7, 100.0, 92.4, 97.5, 98.2),
        "MIM": (100.0, 99.3, 98.7, 99.9, 91.5, 97.2, 97.8),
        "DIM": (99.7, 99.4, 96.9, 99.9, 89.6, 89.6, 95.9),
        "TIM": (99.5, 99.2, 97.3, 99.7, 88.4, 92.4, 96.1),
        "NIM": (100.0, 99.4, 99.0, 99.9, 91.7, 97.3, 97.9),
        "AdvRD": (84.2, 91.0, 89.7, 88.1, 88.1, 89.5, 88.4),
    }.items()
}
"""White-box success on NIPS-17 within 16/255 (AdvRD: without a bound), by attack and model."""

TABLE_3: Mapping[str, Mapping[str, float]] = {
    attack: dict(
        zip(
            ("Inc-v4", "IncRes-v2", "Res-101", "Inc-v3ens3", "Inc-v3ens4", "IncRes-v2ens", "Average"),
            rates,
            strict=True,
        )
    )
    for attack, rates in {
        "FGSM": (31.9, 29.6, 30.9, 17.3, 14.8, 9.4, 22.3),
        "BIM": (25.4, 17.7, 19.0, 12.7, 13.5, 7.5, 16.0),
        "MIM": (46.3, 43.3, 38.2, 20.0, 18.0, 11.7, 29.6),
        "DIM": (38.5, 30.6, 27.2, 15.3, 15.2, 8.5, 22.6),
        "TIM": (50.1, 43.2, 39.4, 29.2, 27.3, 18.8, 34.7),
        "NIM": (52.9, 51.3, 41.4, 20.3, 18.1, 11.1, 32.5),
        "AdvRD": (53.9, 47.6, 58.8, 62.4, 63.4, 52.4, 56.4),
    }.items()
}
"""Black-box success on NIPS-17; all but AdvRD are transferred from Inception-v3."""

TABLE_4: Mapping[str, float] = {"NIPS-17": 92.0, "TT-100K": 54.0, "GTSRB": 59.0}
"""Success of real raindrops, by dataset: at least one frame of a 5-second video fools."""

TABLE_5: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "NIPS-17": {
        "standard": {"clean": 76.13, "digital": 64.5, "physical": 92.0},
        "hardened": {"clean": 73.37, "digital": 29.0, "physical": 69.0},
    },
    "TT-100K": {
        "standard": {"clean": 98.11, "digital": 72.6, "physical": 54.0},
        "hardened": {"clean": 99.67, "digital": 18.2, "physical": 27.0},
    },
    "GTSRB": {
        "standard": {"clean": 97.52, "digital": 66.6, "physical": 59.0},
        "hardened": {"clean": 98.99, "digital": 23.5, "physical": 37.0},
    },
}
"""Accuracy, digital and physical success before and after adversarial training, by dataset."""

TABLE_6: Mapping[int, float] = {2: 1.023, 4: 1.045, 6: 1.046, 8: 1.065, 10: 1.180}
"""RFID by eta."""

TABLE_7: Mapping[str, Mapping[str, float]] = {
    "ASR (%)": {"15": 59.7, "20": 61.2, "25": 63.4, "30": 65.2, "35": 67.1},
    "Running time (s)": {"15": 445, "20": 535, "25": 636, "30": 722, "35": 792},
}
"""Success and seconds to attack NIPS-17 by N; at N = 25 it is Table 3's AdvRD against Inc-v3ens4."""

_PAPERS_MODELS: Mapping[str, str] = {
    "inception_v3.tf_in1k": "Inc-v3",
    "inception_v4.tf_in1k": "Inc-v4",
    "inception_resnet_v2.tf_in1k": "IncRes-v2",
    "inception_resnet_v2.tf_ens_adv_in1k": "IncRes-v2ens",
}
"""timm's names of models that the paper attacks."""

_PAPERS_DATA: Mapping[str, str] = {"nips17": "NIPS-17", "gtsrb": "GTSRB", "tt100k": "TT-100K"}


def model_column(name: str) -> str:
    """Return the paper's name of a model where it attacks the same weights, else the name given."""
    return _PAPERS_MODELS.get(name, name)


def papers_data(name: str) -> str | None:
    """Return the paper's name of a dataset; None where it does not use it."""
    return _PAPERS_DATA.get(name.split(" ", maxsplit=1)[0].lower())
