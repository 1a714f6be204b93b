"""The kinds that a bank may have, and what makes each; on the roof, for a session of a rig is one of the materials."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from natadv.detection.banked import CLEAN
from natadv.detection.crafted import CRAFTED, crafted
from natadv.detection.cross_fit import misclassified
from natadv.detection.made import Maker
from natadv.detection.natural import image_folders
from natadv.detection.sources import Sources
from natadv.errors import ConfigError
from natadv.training.generators import OPTICS

DRY, CAPTURED = "dry", "captured"


@dataclass(frozen=True, slots=True)
class Material:
    """Where the images of natural kinds are; None where there are none.

    Attributes:
        imagenet_a: folder of ImageNet-A.
        imagenet_a_plus: of ImageNet-A-Plus.
        sessions: folders of recorded sessions.
        misclassified: folder that `natadv.detection.cross_fit` wrote.
        root: where named datasets lie unpacked.
        generator: of AdvRD's drops; None: the optics.
    """

    imagenet_a: Path | None = None
    imagenet_a_plus: Path | None = None
    sessions: tuple[Path, ...] = ()
    misclassified: Path | None = None
    root: Path = Path("data")
    generator: str | None = None


def kinds_of(asked: Sequence[str], material: Material) -> tuple[str, ...]:
    """Return the kinds of a bank: clean, then those asked for; where none is, all that there is material for.

    Captured frames never come without dry ones.

    Raises:
        ConfigError: if there is no such kind, or no material for it, or material for none.
    """
    options: dict[str, tuple[str, object]] = {
        DRY: ("session", material.sessions or None),
        CAPTURED: ("session", material.sessions or None),
        "imagenet-a": ("imagenet-a", material.imagenet_a),
        "imagenet-a-plus": ("imagenet-a-plus", material.imagenet_a_plus),
        "misclassified": ("misclassified", material.misclassified),
    }
    known = (DRY, *CRAFTED, *(name for name in options if name != DRY))
    chosen = set(asked) or {*CRAFTED, *(name for name, (_, folder) in options.items() if folder is not None)}
    if CAPTURED in chosen:
        chosen.add(DRY)
    for name in chosen - {CLEAN}:
        if name not in known:
            raise ConfigError(f"--kind {name}: expected one of {', '.join(known)}")
        if name in options and options[name][1] is None:
            raise ConfigError(f"--kind {name}: needs --{options[name][0]}, which says where its images are")
    _check_all_is_used(chosen, {**options, "advrd": ("generator", material.generator)})
    return (CLEAN, *(name for name in known if name in chosen))


def _check_all_is_used(chosen: Collection[str], options: Mapping[str, tuple[str, object]]) -> None:
    """Refuse material that no kind is made of: its folder would not even be looked at."""
    for option in dict.fromkeys(option for option, given in options.values() if given is not None):
        kinds = [name for name, (of, _) in options.items() if of == option]
        if not set(kinds) & set(chosen):
            raise ConfigError(
                f"--{option}: is for --kind {' or '.join(kinds)}, which is not asked for; add that, or leave this out"
            )


def all_makers(
    kinds: Sequence[str],
    material: Material,
    sources: Sources,
    kept: Path,
    *,
    seed: int,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, Maker]:
    """Return what makes each of these kinds, in their order.

    Args:
        kinds: as `kinds_of` gives them.
        material: where the natural ones' images are.
        sources: of the rest.
        kept: folder of what attacks have done.
        seed: of all chance.
        report: told what is being read, and how far.

    Raises:
        ConfigError: if an attack does not take images of this size.
        DataError: if what a kind is made of cannot be read, or does not fit the model.
    """
    makers: dict[str, Maker] = {}
    for name in kinds:
        if name in (CLEAN, *CRAFTED):
            makers[name] = crafted(name, sources, kept, seed=seed, generator=material.generator or OPTICS)
    if material.sessions and DRY in kinds:
        from natadv.campaign.captured import captured  # noqa: PLC0415  # other kinds need no rig's libraries

        makers |= captured(material.sessions, sources, seed=seed, report=report)
    folders = {"imagenet-a": material.imagenet_a, "imagenet-a-plus": material.imagenet_a_plus}
    given = {name: folder for name, folder in folders.items() if folder is not None and name in kinds}
    makers |= image_folders(given, sources, seed=seed)
    if material.misclassified is not None and "misclassified" in kinds:
        makers["misclassified"] = misclassified(material.misclassified, sources, root=material.root, seed=seed)
    return {name: makers[name] for name in kinds}
