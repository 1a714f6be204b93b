"""Table 3: black-box success; AdvRD asks the model, the conventional attacks are transferred from a surrogate."""

from collections.abc import Iterator

from natadv.errors import ConfigError
from natadv.papers.advrd import TABLE_3
from natadv.papers.advrd_tables.attacks import attack_conventionally, compare_attacks
from natadv.papers.number import Number
from natadv.papers.request import Request, required
from natadv.training.victim import as_surrogate, open_victim

TITLE = "Table 3. Black-box attack success (%) by attack and model"


def numbers(request: Request) -> Iterator[Number]:
    """Yield the table of `request.models` on `request.data`; a conventional attack sees the model's answer once.

    Raises:
        ConfigError: without data, models or a surrogate, or if the surrogate has other classes or is attacked itself.
        DataError: if a model does not go with the data.
    """
    surrogate = open_victim(required(request.surrogate, "--surrogate"), request.device)

    victims = request.victims()
    for victim in victims:
        if victim.described == surrogate.described:
            raise ConfigError(f"--surrogate {request.surrogate}: is the model attacked itself; that is table 2")

    def conventional(name, trial):
        return attack_conventionally(request, name, trial, as_surrogate(surrogate, trial.victim))

    how = {"surrogate": surrogate.described}
    yield from compare_attacks(request, "black", TABLE_3, conventional, victims, how)
