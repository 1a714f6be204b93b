"""Table 3: black-box success; AdvRD asks the model, the conventional attacks are transferred from a surrogate."""

from collections.abc import Iterator

from natadv.papers.advrd import TABLE_3
from natadv.papers.advrd_tables.attacks import attack_conventionally, compare_attacks
from natadv.papers.number import Number
from natadv.papers.request import Request, required
from natadv.papers.victim import as_surrogate, open_victim

TITLE = "Table 3. Black-box attack success (%) by attack and model"


def numbers(request: Request) -> Iterator[Number]:
    """Yield the table of `request.models` on `request.data`; a conventional attack sees the model's answer once.

    Raises:
        ConfigError: without data, models or a surrogate, or if the surrogate has other classes.
        DataError: if a model does not go with the data.
    """
    surrogate = open_victim(required(request.surrogate, "--surrogate"), request.device)

    def conventional(name, trial):
        return attack_conventionally(request, name, trial, as_surrogate(surrogate, trial.victim))

    how = {"surrogate": surrogate.described}
    yield from compare_attacks(request, "black", TABLE_3, conventional, request.victims(), how)
