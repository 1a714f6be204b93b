"""Work done in a thread a few items before it is needed, in order: rendering beside training."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_AHEAD = 4


def made_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield `make` of each item, made in one thread while the one before is used; stops when it is closed."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        ahead: list[Future[Made]] = []
        try:
            for item in items:
                ahead.append(pool.submit(make, item))
                if len(ahead) > _AHEAD:
                    yield ahead.pop(0).result()
            for future in ahead:
                yield future.result()
        finally:
            for future in ahead:
                future.cancel()
