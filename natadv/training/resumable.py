"""ResumableRecipe: the settings of a run that may be stopped and gone on with, and what must stay the same then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from natadv.errors import ConfigError, DataError


class ResumableRecipe(BaseModel):
    """A recipe: what a person chose, checked at the door and kept with the result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: ClassVar[frozenset[str]] = frozenset({"device", "devices", "threads"})
    """What may differ between a run and its continuation: where it runs, not what it computes."""

    def check_continues(self, kept: Mapping[str, Any], state: Path) -> None:
        """Make sure that a run goes on as it was begun.

        Args:
            kept: the recipe that the run was begun with, as plain values.
            state: the file that it was kept in, in the run's folder.

        Raises:
            ConfigError: if a setting other than the machine's differs.
            DataError: if it is no recipe of this version.
        """
        try:
            before: Self = type(self).model_validate(dict(kept))
        except ValidationError as error:
            raise DataError(f"{state}: written by another version of natadv; train anew") from error
        for name in type(self).model_fields:
            was, now = getattr(before, name), getattr(self, name)
            if name not in self.machine and was != now:
                raise ConfigError(
                    f"{state.parent}: was begun with {name} {was!r}, not {now!r}; resume with the same settings"
                )

    def yaml(self) -> bytes:
        """Return the recipe as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True).encode()


def state_to_resume(last: Path, *, resume: bool) -> Path | None:
    """Return the state that a stopped run kept, or None where there is none and the run starts.

    Args:
        last: where it is, in the run's folder.
        resume: whether to go on was asked for.

    Raises:
        ConfigError: if there is one and it was not.
    """
    if not last.exists():
        return None
    if not resume:
        raise ConfigError(f"{last.parent}: holds a run already; continue it with --resume or take another folder")
    return last
