"""Schema: what all that `manifest.json` holds has in common."""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256 in hex."""

DigestToCome = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
"""The same, or nothing while the manifest is being made; no file has the digest of nothing."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{text!r} cannot be printed")
    return text


Line = Annotated[str, AfterValidator(_printable)]
"""Words that go to a terminal as they are."""


class Frozen(BaseModel):
    """Values that were checked once and stay."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Grown(Frozen):
    """Values of which former versions did not say all.

    Attributes:
        later: those that came later; one that is None is not written, else a former manifest would count as altered.
    """

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = write(self)
        return {name: value for name, value in said.items() if name not in self.later or value is not None}
