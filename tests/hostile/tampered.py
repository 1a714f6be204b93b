"""Models whose tensors, attributes, wires and operators are others than they were."""

from random import Random

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.hostile.graphs import EXTREMES, feed_logits

_DIMS = ([2**40], [2**32, 2**32], [2**31, 2**31, 2**31], [-1], [-3, -3], [0], [2**63 - 1] * 3)
_ATTRIBUTES = (
    *("axis", "axes", "perm", "group", "kernel_shape", "strides", "pads", "dilations", "output_padding"),
    *("output_shape", "auto_pad", "ceil_mode", "count_include_pad", "keepdims", "to", "alpha", "allowzero"),
    *("storage_order", "fmod"),
)


def dims(rng: Random, model: ModelProto) -> None:
    """A tensor says another shape or kind than its values have."""
    tensor = rng.choice(model.graph.initializer)
    kind = rng.choice(("one", "all", "many", "none", "type", "text", "both"))
    if kind == "one" and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(EXTREMES)
    elif kind == "all":
        del tensor.dims[:]
        tensor.dims.extend(rng.choice(_DIMS))
        if rng.random() < 0.5:
            tensor.ClearField("raw_data")
    elif kind == "many":
        tensor.dims.extend([1] * rng.choice((5, 70, 10_000)))
    elif kind == "none":
        del tensor.dims[:]
    elif kind == "type":
        tensor.data_type = rng.choice((0, 8, *range(2, 30), 2**31 - 1))
    elif kind == "text":
        count = int(np.prod(tensor.dims))
        tensor.ClearField("raw_data")
        tensor.data_type = TensorProto.STRING
        tensor.string_data.extend([rng.choice((b"1", b"\xff" * 100))] * count)
    else:
        tensor.float_data.extend([1.0] * rng.choice((1, 9)))
        tensor.int64_data.extend([1] * rng.choice((1, 9)))


def values(rng: Random, model: ModelProto) -> None:
    """Weights that are no numbers, or too large, or whole numbers that are places and sizes."""
    tensor = rng.choice(model.graph.initializer)
    array = numpy_helper.to_array(tensor).copy()
    odd = (np.nan, np.inf, -np.inf, 3e38, 1e-45, -3e38) if array.dtype.kind == "f" else EXTREMES
    flat = array.reshape(-1)
    for _ in range(rng.choice((1, 1, len(flat)))):
        value = rng.choice(odd)
        if array.dtype.kind == "i":
            value = max(np.iinfo(array.dtype).min, min(np.iinfo(array.dtype).max, value))
        flat[rng.randrange(len(flat))] = value
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def attributes(rng: Random, model: ModelProto) -> None:
    """A number of a node is another one, or far too large, or there are more of them."""
    nodes = [node for node in model.graph.node if node.attribute]
    for _ in range(rng.choice((1, 1, 3))):
        attribute = rng.choice(rng.choice(nodes).attribute)
        if attribute.ints:
            at = rng.randrange(len(attribute.ints))
            kind = rng.randrange(3)
            if kind == 0:
                attribute.ints.extend([rng.choice(EXTREMES)] * rng.choice((1, 5, 10_000)))
            elif kind == 1:
                del attribute.ints[at]
            else:
                attribute.ints[at] = rng.choice(EXTREMES)
        elif attribute.type == onnx.AttributeProto.INT:
            attribute.i = rng.choice(EXTREMES)
        else:
            attribute.type = rng.randrange(20)


def more_attributes(rng: Random, model: ModelProto) -> None:
    """A node has an attribute that it had not."""
    single, numbers = rng.choice(EXTREMES), [rng.choice(EXTREMES)] * rng.choice((1, 2, 4))
    value = rng.choice((single, numbers, 1e38, "SAME_UPPER", "x" * 1000))
    node = rng.choice(model.graph.node)
    node.attribute.append(helper.make_attribute(rng.choice(_ATTRIBUTES), value))


def wires(rng: Random, model: ModelProto) -> None:
    """Nodes take and give what they should not: themselves, nothing, each other."""
    node, other = rng.choice(model.graph.node), rng.choice(model.graph.node)
    kind = rng.choice(("self", "swap", "cut", "again", "gone", "nothing", "many", "more", "cycle"))
    if kind == "self":
        node.input[0] = node.output[0]
    elif kind == "swap":
        node.input[0], other.input[0] = other.input[0], node.input[0]
    elif kind == "cut":
        del node.input[-1:]
    elif kind == "again":
        model.graph.node.append(node)
    elif kind == "gone":
        model.graph.node.remove(node)
    elif kind == "nothing":
        node.input[rng.randrange(len(node.input))] = rng.choice(("", "nowhere", "logits", "frames", "\x1b[2J\n"))
    elif kind == "many":
        node.input.extend([node.input[0]] * rng.choice((1, 50, 10_000)))
    elif kind == "more":
        node.output.extend([f"more{k}" for k in range(rng.choice((1, 1000)))])
    else:
        model.graph.node[0].input[0] = "logits"


def another_operator(rng: Random, model: ModelProto) -> None:
    """A node is of another kind, any that ONNX knows."""
    kinds = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})
    node = rng.choice(model.graph.node)
    node.op_type = rng.choice(kinds)
    if rng.random() < 0.5:
        del node.attribute[:]


def extra_operator(rng: Random, model: ModelProto) -> None:
    """A node of any kind that ONNX knows, on tensors of the model, is needed for the answer."""
    schemas = [schema for schema in onnx.defs.get_all_schemas() if schema.domain == ""]
    schema = rng.choice(schemas)
    least = max(1, schema.min_input)
    count = rng.randint(least, max(least, min(schema.max_input, 6)))
    names = [tensor.name for tensor in model.graph.initializer] + [
        name for node in model.graph.node for name in node.output
    ]
    names = [name for name in names if name not in ("logits", "probabilities")]
    inputs = [rng.choice(names) for _ in range(count)]
    node = helper.make_node(schema.name, inputs, ["odd_one"])
    cast = helper.make_node("Cast", ["odd_one"], ["odd_float"], to=TensorProto.FLOAT)
    feed_logits(model, [node, cast], "odd_float")
