"""Table 2: white-box success of AdvRD and conventional attacks."""

from collections.abc import Iterator

from natadv.papers.advrd import TABLE_2
from natadv.papers.advrd_tables.attacks import attack_conventionally, compare_attacks
from natadv.papers.number import Number
from natadv.papers.request import Request

TITLE = "Table 2. White-box attack success (%) by attack and model"


def numbers(request: Request) -> Iterator[Number]:
    """Yield the table of `request.models` on `request.data`.

    Raises:
        ConfigError: without data or models.
        DataError: if a model does not go with the data.
    """

    def conventional(name, trial):
        return attack_conventionally(request, name, trial, None)

    yield from compare_attacks(request, "white", TABLE_2, conventional, request.victims(), {})
