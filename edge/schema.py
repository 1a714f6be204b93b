"""Schema: what all that `manifest.json` holds has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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
