"""Models that a stranger made, and how often each kind is drawn."""

from tests.hostile import foreign, greedy, tampered
from tests.hostile.graphs import edited

CHANGES = tuple(
    edited(change)
    for change in (
        foreign.weights_elsewhere,
        foreign.weights_elsewhere,
        foreign.weights_elsewhere,
        greedy.grow,
        greedy.grow,
        greedy.grow,
        greedy.double,
        greedy.slow,
        greedy.loop,
        greedy.loop,
        greedy.deep,
        foreign.foreign,
        foreign.chance,
        foreign.functions,
        tampered.dims,
        tampered.dims,
        tampered.values,
        tampered.values,
        tampered.attributes,
        tampered.attributes,
        tampered.attributes,
        tampered.more_attributes,
        tampered.wires,
        tampered.wires,
        tampered.another_operator,
        tampered.another_operator,
        tampered.extra_operator,
        tampered.extra_operator,
        tampered.extra_operator,
        foreign.interface,
        foreign.interface,
        foreign.about,
        foreign.about,
        foreign.shuffled,
        greedy.many,
    )
)
