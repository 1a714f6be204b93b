"""How a model is changed: a change of a graph as a change of a bundle, and new nodes that the answer needs."""

from collections.abc import Callable
from random import Random

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from edge.bundle import MODEL
from tests.hostile.torn import Files

_SMALL = (0, 1, -1, 2, 7, -7, 1000)
EXTREMES = (*_SMALL, 2**16, 2**24, 2**31 - 1, 2**31, -(2**31), 2**33, 2**40, 2**62, 2**63 - 1, -(2**63))


def edited(change: Callable[[Random, ModelProto], ModelProto | bytes | None]) -> Callable[[Random, Files], Files]:
    """Make a change of a bundle of one of its model; a change that gives nothing worked in place."""

    def changed(rng: Random, files: Files) -> Files:
        model = onnx.load_from_string(files[MODEL])
        result = change(rng, model)
        data = result if isinstance(result, bytes) else (result or model).SerializeToString()
        return files | {MODEL: data}

    changed.__name__, changed.__module__ = change.__name__, change.__module__
    return changed


def feed_logits(model: ModelProto, nodes: list[NodeProto], output: str) -> None:
    """Put nodes in, and add the least of their output, a float tensor, to the logits, so that they are needed."""
    softmax = next(node for node in model.graph.node if "probabilities" in node.output)
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "bare"
    found = list(model.graph.node)
    at = found.index(softmax)
    del model.graph.node[:]
    closing = [
        helper.make_node("ReduceMin", [output], ["least"], keepdims=0),
        helper.make_node("Add", ["bare", "least"], ["logits"]),
    ]
    model.graph.node.extend([*found[:at], *nodes, *closing, *found[at:]])


def constant(model: ModelProto, name: str, values: object, kind: type = np.int64) -> str:
    """Add a constant and return its name."""
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values, kind), name))
    return name
