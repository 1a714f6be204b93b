"""The numbers of "RAIN: A Simple Framework for Robust and Accurate Image Classification" (Du et al. 2021), in percent.

STL-10 stands beside our GTSRB, both of small pictures and few classes, ImageNet beside the images of NIPS-2017. Two are
printed without their "0.": 343 (Table III) and 828 (Table IV).
"""

from collections.abc import Mapping, Sequence

Row = Mapping[str, float]


def _rows(columns: Sequence[str], rows: Mapping[str, Sequence[float | None]]) -> dict[str, Row]:
    """Return rows of percentages from rows of shares; None is a number that the paper does not give."""
    return {
        name: {
            column: round(100 * share, 1) for column, share in zip(columns, shares, strict=True) if share is not None
        }
        for name, shares in rows.items()
    }


_WHITE = ("clean", "fgsm", "pgd", "cw", "deepfool", "ead")
_BLACK = ("clean", "zoo", "nes", "rays")
_ADAPTIVE = ("clean", "eot-fgsm", "eot-pgd-1", "eot-pgd-2", "eot-cw")
_THREE = ("clean", "fgsm", "deepfool", "cw")

STL10: Mapping[int, Mapping[str, Row]] = {
    1: _rows(
        ("clean", "fgsm", "cw", "deepfool"),
        {
            "CNN-only": (1, 0.074, 0, 0),
            "RdmSCS p=0.01": (0.975, 0.075, 0.117, 0),
            "RdmSCS p=0.05": (0.958, 0.215, 0.421, 0.093),
            "RdmSCS p=0.1": (0.925, 0.311, 0.523, 0.252),
            "RdmSCS p=0.15": (0.836, 0.299, 0.671, 0.422),
        },
    ),
    2: _rows(
        ("clean", "fgsm", "cw", "deepfool"),
        {
            "CNN-only": (1, 0.074, 0, 0),
            "RdmDU-Bicubic": (0.812, 0.485, 0.625, 0.539),
            "RdmDU-SR": (0.935, 0.565, 0.742, 0.664),
        },
    ),
    3: _rows(
        _WHITE,
        {
            "CNN-only": (1, 0.074, 0, 0, 0, 0),
            "RAIN": (0.929, 0.681, 0.045, 0.781, 0.734, 0.828),
            "PixelDef": (0.883, 0.397, 0, 0.320, 0.117, 0.407),
            "RandP&R": (0.907, 0.376, 0.025, 0.699, 0.305, 0.789),
            "Madry": (0.705, 0.607, None, 0.289, 0.234, 0.028),
            "FeatDn": (0.696, 0.615, None, 0.300, 0.227, 0.034),
        },
    ),
    4: _rows(
        _BLACK,
        {
            "CNN-only": (1, 0, 0.02, 0),
            "RAIN": (0.929, 0.912, 0.871, 0.882),
            "PixelDef": (0.883, 0.679, 0.650, 0.743),
            "RandP&R": (0.907, 0.854, 0.873, 0.828),
            "Madry": (0.705, 0.705, 0.663, 0.265),
            "FeatDn": (0.696, 0.621, 0.594, 0.304),
        },
    ),
    5: _rows(
        _ADAPTIVE,
        {
            "PixelDef": (0.883, 0.082, 0, 0, 0.283),
            "RandP&R": (0.907, 0.125, 0.015, 0.024, 0.365),
            "RAIN": (0.929, 0.188, 0.01, 0.023, 0.402),
            "Madry": (0.705, 0.607, 0.367, 0.363, 0.294),
            "RAIN-AT": (0.745, 0.647, 0.361, 0.375, 0.605),
            "RandP&R-AT": (0.619, 0.575, 0.364, 0.374, 0.428),
        },
    ),
    6: _rows(
        _THREE,
        {
            "CNN-only": (1, 0.074, 0, 0),
            "RdmSCS-RdmDU": (0.909, 0.675, 0.737, 0.843),
            "RdmDU-RdmSCS": (0.899, 0.666, 0.768, 0.797),
            "RAIN": (0.929, 0.680, 0.734, 0.781),
        },
    ),
    7: _rows(
        _THREE,
        {
            "p=0.01": (0.938, 0.623, 0.695, 0.726),
            "p=0.05": (0.929, 0.683, 0.734, 0.781),
            "p=0.1": (0.909, 0.64, 0.677, 0.820),
            "p=0.15": (0.774, 0.59, 0.703, 0.671),
        },
    ),
}
"""Tables I to VII on STL-10 by row and column."""

IMAGENET: Mapping[int, Mapping[str, Row]] = {
    3: _rows(
        _WHITE,
        {
            "CNN-only": (1, 0.125, 0, 0, 0, 0),
            "RAIN": (0.933, 0.625, 0.012, 0.523, 0.867, 0.857),
            "PixelDef": (0.858, 0.357, 0, 0.320, 0.210, 0.365),
            "RandP&R": (0.928, 0.343, 0, 0.438, 0.703, 0.759),
            "Madry": (0.623, 0.598, None, 0.355, 0.426, 0.063),
            "FeatDn": (0.653, 0.603, None, 0.398, 0.410, 0.115),
        },
    ),
    4: _rows(
        _BLACK,
        {
            "CNN-only": (1, 0, 0.02, 0),
            "RAIN": (0.933, 0.885, 0.882, 0.924),
            "PixelDef": (0.858, 0.846, 0.841, 0.848),
            "RandP&R": (0.928, 0.867, 0.881, 0.913),
            "Madry": (0.623, 0.620, 0.611, 0.396),
            "FeatDn": (0.653, 0.663, 0.641, 0.421),
        },
    ),
    5: _rows(
        _ADAPTIVE,
        {
            "PixelDef": (0.858, 0.022, 0, 0, 0.247),
            "RandP&R": (0.928, 0.067, 0, 0, 0.276),
            "RAIN": (0.933, 0.125, 0, 0, 0.255),
            "Madry": (0.623, 0.598, 0.361, 0.361, 0.349),
            "RAIN-AT": (0.656, 0.630, 0.363, 0.377, 0.473),
            "RandP&R-AT": (0.569, 0.574, 0.347, 0.356, 0.430),
        },
    ),
}
"""Tables III to V on ImageNet."""

COLUMNS: Mapping[int, Sequence[str]] = {
    1: ("fgsm", "cw", "deepfool"),
    2: ("fgsm", "cw", "deepfool"),
    3: _WHITE[1:],
    4: _BLACK[1:],
    5: (*_ADAPTIVE[1:], "eot-cw-sure", "eot-pgd-margin"),
    6: _THREE[1:],
    7: _THREE[1:],
}
"""The attacks of each table, by their names in natadv.attacks.suite, beside `clean`; `eot-cw-sure` and `eot-pgd-margin`
are ours."""

TITLES: Mapping[int, str] = {
    1: "Table I. RdmSCS alone: accuracy and robust accuracy (%) by the share of the shift",
    2: "Table II. RdmDU alone: accuracy and robust accuracy (%) by upsampling",
    3: "Table III. Accuracy and robust accuracy (%) in the white box",
    4: "Table IV. Accuracy and robust accuracy (%) in the black box",
    5: "Table V. Accuracy and robust accuracy (%) against attacks that average over passes (EoT)",
    6: "Table VI. Accuracy and robust accuracy (%) by the order of RAIN's parts",
    7: "Table VII. Accuracy and robust accuracy (%) of RAIN by the share of the shift",
}
"""Above each table."""
