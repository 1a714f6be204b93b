"""Models that take all memory, or all time, or as much of the reader's patience as they can."""

from random import Random

import numpy as np
from onnx import ModelProto, TensorProto, helper

from tests.hostile.graphs import constant, feed_logits
from tests.hostile.wire import key, message, number


def grow(rng: Random, model: ModelProto) -> None:
    """Some tensor grows beyond memory while the model runs, or when it is loaded."""
    size = rng.choice((2**33, 2**33, 2**36, 2**40, 2**62))
    shape = constant(model, "huge", [size])
    nodes = []
    if rng.random() < 0.5:  # known only when it runs
        nodes = [
            helper.make_node("Shape", ["frames"], ["all"]),
            helper.make_node("Mul", ["all", constant(model, "none", 0)], ["nothing"]),
            helper.make_node("ReduceSum", ["nothing"], ["zero"], keepdims=0),
            helper.make_node("Add", ["zero", shape], ["asked"]),
        ]
        shape = "asked"
    one = constant(model, "ones", [1], np.float32)
    kind = rng.choice(("ConstantOfShape", "Expand", "Tile", "Pad", "Range", "EyeLike", "OneHot", "Resize"))
    if kind == "ConstantOfShape":
        nodes.append(helper.make_node(kind, [shape], ["big"]))
    elif kind in ("Expand", "Tile"):
        nodes.append(helper.make_node(kind, [one, shape], ["big"]))
    elif kind == "Pad":
        nodes.append(helper.make_node("Concat", [constant(model, "none_before", [0]), shape], ["pads_"], axis=0))
        nodes.append(helper.make_node(kind, [one, "pads_"], ["big"]))
    elif kind == "Range":
        scalar = helper.make_node("Squeeze", [shape], ["limit"])
        range_ = helper.make_node(kind, [constant(model, "first", 0), "limit", constant(model, "step", 1)], ["steps"])
        nodes += [scalar, range_, helper.make_node("Cast", ["steps"], ["big"], to=TensorProto.FLOAT)]
    elif kind == "EyeLike":
        square = constant(model, "square", np.zeros((1, 1)), np.float32)
        nodes.append(helper.make_node("Concat", [shape, shape], ["sides"], axis=0))
        nodes.append(helper.make_node("Expand", [square, "sides"], ["wide"]))
        nodes.append(helper.make_node(kind, ["wide"], ["big"], dtype=TensorProto.FLOAT))
    elif kind == "OneHot":
        pair = constant(model, "pair", [0, 1], np.float32)
        nodes.append(helper.make_node(kind, [constant(model, "places", [0, 1]), shape, pair], ["big"]))
    else:
        nodes.append(helper.make_node(kind, [one, "", "", shape], ["big"], mode="nearest"))
    feed_logits(model, nodes, "big")


def double(rng: Random, model: ModelProto) -> None:
    """Each of some forty small nodes makes twice of what it is given."""
    kind = rng.choice(("Concat", "Tile", "MatMul"))
    nodes, last = [], constant(model, "seed", np.ones((1, 1)), np.float32)
    two = constant(model, "two", [1, 2])
    for step in range(rng.choice((34, 45, 100))):
        name = f"doubled{step}"
        if kind == "Concat":
            nodes.append(helper.make_node("Concat", [last, last], [name], axis=1))
        elif kind == "Tile":
            nodes.append(helper.make_node("Tile", [last, two], [name]))
        else:
            nodes.append(helper.make_node("Transpose", [last], [f"turned{step}"]))
            nodes.append(helper.make_node("Concat", [last, last], [f"wide{step}"], axis=1))
            nodes.append(helper.make_node("MatMul", [f"turned{step}", f"wide{step}"], [name]))
        last = name
    feed_logits(model, nodes, last)


def slow(rng: Random, model: ModelProto) -> None:
    """Little memory, and hours of work."""
    side = 3000
    matrix = constant(model, "matrix", [side, side])
    nodes, last = [helper.make_node("ConstantOfShape", [matrix], ["m"])], "m"
    if rng.random() < 0.5:  # not to be folded when it is loaded
        nodes = [
            helper.make_node("ReduceMax", ["frames"], ["brightest"], keepdims=0),
            helper.make_node("Cast", ["brightest"], ["bright"], to=TensorProto.FLOAT),
            helper.make_node("Expand", ["bright", matrix], ["m"]),
        ]
    for step in range(rng.choice((2_000, 20_000))):
        nodes.append(helper.make_node("MatMul", [last, "m"], [f"power{step}"]))
        last = f"power{step}"
    feed_logits(model, nodes, last)


def loop(rng: Random, model: ModelProto) -> None:
    """A loop of nearly for ever, in the graph or in a graph in it."""
    info = helper.make_tensor_value_info
    depth = rng.choice((0, 0, 1, 3, 8))
    body_nodes = [helper.make_node("Add", ["value", "value"], ["next"]), helper.make_node("Identity", ["go"], ["on"])]
    state = [info("turn", TensorProto.INT64, []), info("go", TensorProto.BOOL, [])]
    state.append(info("value", TensorProto.FLOAT, [1]))
    results = [info("on", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, [1])]
    body = helper.make_graph(body_nodes, "body", state, results)
    turns = constant(model, "turns", rng.choice((2**62, 2**62, 3)))
    always = constant(model, "always", True, np.bool_)
    first = constant(model, "first_value", [0], np.float32)
    node = helper.make_node("Loop", [turns, always, first], ["looped"], body=body)
    if rng.random() < 0.2:
        scan_body = helper.make_graph(
            [helper.make_node("Add", ["a", "b"], ["c"]), helper.make_node("Identity", ["c"], ["d"])],
            "scan",
            [info("a", TensorProto.FLOAT, [1]), info("b", TensorProto.FLOAT, [1])],
            [info("c", TensorProto.FLOAT, [1]), info("d", TensorProto.FLOAT, [1])],
        )
        long = constant(model, "long", np.zeros((1000, 1)), np.float32)
        node = helper.make_node("Scan", [first, long], ["looped", "all"], body=scan_body, num_scan_inputs=1)
    for level in range(depth):
        output = info(f"out{level}", TensorProto.FLOAT, None)
        same = helper.make_node("Identity", [node.output[0]], [f"out{level}"])
        inner = helper.make_graph([node, same], "g", [], [output])
        node = helper.make_node("If", [always], [f"looped{level}"], then_branch=inner, else_branch=inner)
    feed_logits(model, [node], node.output[0])


def deep(rng: Random, model: ModelProto) -> bytes:
    """Graphs in attributes of nodes of graphs, as deep as the file's size allows."""
    inner = b""
    for _ in range(rng.choice((30, 99, 500, 3_000))):
        branch = message(1, b"then_branch") + message(6, inner) + key(20, 0) + number(5)
        inner = message(1, message(4, b"If") + message(5, branch))
    data = model.SerializeToString()
    return data + message(7, inner)


def many(rng: Random, model: ModelProto) -> None:
    """A hundred thousand nodes, or tensors, or a name of megabytes."""
    count = rng.choice((1_000, 30_000))
    last = constant(model, "start", [0], np.float32)
    if rng.random() < 0.5:
        nodes = []
        for step in range(count):
            nodes.append(helper.make_node("Neg", [last], [f"step{step}"]))
            last = f"step{step}"
        feed_logits(model, nodes, last)
    else:
        for step in range(count):
            model.graph.initializer.append(helper.make_tensor(f"unused{step}", TensorProto.FLOAT, [0], []))
        model.graph.input.extend(
            [helper.make_tensor_value_info(f"unused{step}", TensorProto.FLOAT, [0]) for step in range(count)]
        )
