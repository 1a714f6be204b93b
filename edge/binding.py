"""Binding: a session's inputs and outputs in places of their own, for one frame after another.

A live run asks for one frame at a time, always of the same shape. On a GPU its memory is then taken once, copies go
straight to it and back, and, where a CUDA graph is asked for, the whole model is one launch: such a graph demands that
the addresses never change.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_GRAPH_KEY: Final = "gpu_graph_id"
_NO_GRAPH: Final = "-1"


class Binding:
    """Fixed places for a session's inputs and outputs; one thread at a time."""

    def __init__(
        self,
        runtime: Any,
        session: Any,
        inputs: Mapping[str, tuple[DTypeLike, tuple[int, ...]]],
        outputs: Mapping[str, tuple[int, ...]],
        *,
        memory: str,
    ) -> None:
        """Take the memory.

        Args:
            runtime: the module onnxruntime.
            session: whose inputs and outputs they are.
            inputs: by name, type and shape, the batch included.
            outputs: by name and shape, the batch included; all are float32.
            memory: "cuda" or "cpu": where.
        """

        def place(shape: tuple[int, ...], kind: DTypeLike) -> Any:
            return runtime.OrtValue.ortvalue_from_shape_and_type(list(shape), kind, memory, 0)

        self._session = session
        self._shapes = {name: shape for name, (_, shape) in inputs.items()}
        self._inputs = {name: place(shape, kind) for name, (kind, shape) in inputs.items()}
        self._outputs = {name: place(shape, np.float32) for name, shape in outputs.items()}
        self._bound = session.io_binding()
        for name, value in self._inputs.items():
            self._bound.bind_ortvalue_input(name, value)
        for name, value in self._outputs.items():
            self._bound.bind_ortvalue_output(name, value)

    def fits(self, feed: Mapping[str, NDArray[Any]]) -> bool:
        """Return whether these inputs have the shapes of the places."""
        return {name: values.shape for name, values in feed.items()} == self._shapes

    def run(self, feed: Mapping[str, NDArray[Any]], options: Any) -> list[NDArray[np.float32]]:
        """Return the outputs, copied, in the order in which they were named.

        Args:
            feed: the inputs by name; see `fits`.
            options: the run's, as the session takes them.
        """
        for name, values in feed.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(values))
        self._session.run_with_iobinding(self._bound, options)
        return [np.array(value.numpy()) for value in self._outputs.values()]


def without_graph(options: Any) -> None:
    """Let runs with these options not be captured: they are of other batches, and from other memory."""
    options.add_run_config_entry(_GRAPH_KEY, _NO_GRAPH)
