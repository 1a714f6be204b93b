"""Models with code, chance or weights of somewhere else, or that say of themselves what is not so."""

from random import Random

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tests.hostile.graphs import EXTREMES, constant, feed_logits
from tests.hostile.wire import key, message, number, odd_key

_DOMAINS = ("com.microsoft", "com.evil", "ai.onnx.ml", "ai.onnx.training", "com.microsoft.nchwc", "x" * 10_000, "\n")
_OPERATORS = (
    "Gelu",
    "FusedConv",
    "Inverse",
    "Scaler",
    "Softmax",
    "Sampling",
    "BiasGelu",
    "Attention",
    "Rotate\x1b[2J",
)
_LOCATIONS = (
    {"location": "weights.bin"},
    {"location": "../elsewhere/weights.bin"},
    {"location": "/etc/passwd"},
    {"location": "/dev/zero", "length": "36"},
    {"location": "manifest.json", "offset": "0", "length": "36"},
    {"location": "*/_ORT_MEM_ADDR_/*", "offset": "4096", "length": "36"},
    {"offset": "0"},
    {},
)


def weights_elsewhere(rng: Random, model: ModelProto) -> bytes:
    """A tensor lies in another file, in memory, or nowhere; perhaps said in a way that only protobuf's reader sees."""
    tensor = next(t for t in model.graph.initializer if t.name == "weights")
    model.graph.initializer.remove(tensor)
    if rng.random() < 0.8:
        tensor.ClearField("raw_data")
    odd = rng.random() < 0.5
    data = tensor.SerializeToString()
    for name, value in rng.choice(_LOCATIONS).items():
        data += message(13, onnx.StringStringEntryProto(key=name, value=value).SerializeToString(), odd=odd)
    data += (odd_key if odd else key)(14, 0) + number(rng.choice((1, 1, 2**32 + 1, 0)))
    graph = model.graph.SerializeToString()
    place = rng.choice(("initialiser", "initialiser", "constant", "sparse"))
    if place == "initialiser":
        graph += message(5, data, odd=rng.random() < 0.2)
    elif place == "constant":
        attribute = message(1, b"value") + message(5, data) + key(20, 0) + number(4)
        graph += message(1, message(2, b"weights") + message(4, b"Constant") + message(5, attribute))
    else:
        graph += message(15, message(1, data))
    model.ClearField("graph")
    return model.SerializeToString() + message(7, graph, odd=rng.random() < 0.2)


def foreign(rng: Random, model: ModelProto) -> None:
    """Operators of other domains, of none, or of our own name elsewhere."""
    domain = rng.choice(_DOMAINS)
    kind = rng.choice(_OPERATORS)
    model.opset_import.append(helper.make_opsetid(domain, rng.choice((1, 1, 18, 2**31 - 1))))
    node = helper.make_node(kind, ["bare" if rng.random() < 0.7 else "frames"], ["strange"], domain=domain)
    feed_logits(model, [node], "strange")


def chance(rng: Random, model: ModelProto) -> None:
    """Something random, of much effect or of none."""
    scale = rng.choice((0.0, 1e-9, 1.0))
    kind = rng.choice(("RandomNormalLike", "RandomUniform", "Bernoulli", "Multinomial", "Dropout"))
    many = constant(model, "halves", [0.5, 0.5], np.float32)
    nodes = {
        "RandomNormalLike": [helper.make_node("RandomNormalLike", [many], ["drawn"], scale=scale)],
        "RandomUniform": [helper.make_node("RandomUniform", [], ["drawn"], shape=[3], high=scale)],
        "Bernoulli": [helper.make_node("Bernoulli", [many], ["drawn"])],
        "Multinomial": [
            helper.make_node("Unsqueeze", [many, constant(model, "none_", [0])], ["row"]),
            helper.make_node("Multinomial", ["row"], ["which"], sample_size=3),
            helper.make_node("Cast", ["which"], ["drawn"], to=TensorProto.FLOAT),
        ],
        "Dropout": [
            helper.make_node(
                "Dropout",
                [many, constant(model, "ratio", 0.5, np.float32), constant(model, "train", True, np.bool_)],
                ["drawn"],
            )
        ],
    }
    feed_logits(model, nodes[kind], "drawn")


def functions(rng: Random, model: ModelProto) -> None:
    """Functions of the model's own: harmless, in the place of a known operator, or calling themselves."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ours", 1)]
    name, domain = rng.choice((("Half", "ours"), ("Softmax", ""), ("Half", "com.microsoft")))
    inner = rng.choice((("Neg", ""), ("Half", "ours"), ("Half2", "ours")))
    body = [helper.make_node(inner[0], ["a"], ["b"], domain=inner[1])]
    made = [helper.make_function(domain, name, ["a"], ["b"], body, opsets)]
    if inner[0] == "Half2":
        twice = [helper.make_node("Half", [v], [w], domain="ours") for v, w in (("a", "c"), ("c", "b"))]
        made.append(helper.make_function("ours", "Half2", ["a"], ["b"], twice, opsets))
    model.functions.extend(made)
    model.opset_import.append(helper.make_opsetid("ours", 1))
    feed_logits(model, [helper.make_node(name, ["bare"], ["called"], domain=domain)], "called")


def interface(rng: Random, model: ModelProto) -> None:
    """Inputs and outputs of other names, kinds, sizes and numbers."""
    values_ = list(model.graph.input) + list(model.graph.output)
    value = rng.choice(values_)
    kind = rng.choice(("size", "size", "rank", "type", "name", "more", "gone", "sequence", "text", "default", "none"))
    shape = value.type.tensor_type.shape
    if kind == "size":
        shape.dim[rng.randrange(len(shape.dim))].dim_value = rng.choice(EXTREMES)
    elif kind == "rank":
        if rng.random() < 0.5:
            del shape.dim[-1]
        else:
            shape.dim.add().dim_value = rng.choice((1, 2**40))
    elif kind == "type":
        value.type.tensor_type.elem_type = rng.choice((0, *range(1, 24), 2**31 - 1))
    elif kind == "name":
        value.name = rng.choice(("x", "", "frames\n", "\x1b[2J", "frames", "logits", "é" * 1_000_000))
    elif kind == "more":
        rng.choice((model.graph.input, model.graph.output)).append(
            helper.make_tensor_value_info(rng.choice(("extra", "frames", "logits", "scale")), TensorProto.FLOAT, ["n"])
        )
    elif kind == "gone":
        (model.graph.input if value in model.graph.input else model.graph.output).remove(value)
    elif kind == "sequence":
        inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
        made = (helper.make_sequence_type_proto(inner), helper.make_optional_type_proto(inner))
        value.type.CopyFrom(rng.choice(made))
    elif kind == "text":
        shape.dim[0].dim_param = rng.choice(("", "\n\x1b[2J", "x" * 1_000_000))
    elif kind == "default":
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 8, 6, 3), np.uint8), "frames"))
    else:
        value.ClearField("type")


def about(rng: Random, model: ModelProto) -> None:
    """What a model says of itself: versions, labels, texts."""
    kinds = ("ir", "opset", "opset", "twice", "none", "labels", "more", "words", "names", "training", "empty")
    kind = rng.choice(kinds)
    if kind == "ir":
        model.ir_version = rng.choice((*EXTREMES, 3, 8, 13, 14, 99))
    elif kind == "opset":
        model.opset_import[0].version = rng.choice((*EXTREMES, 6, 12, 17, 21, 22, 23, 24, 30))
    elif kind == "twice":
        model.opset_import.append(helper.make_opsetid(rng.choice(("", "ai.onnx")), rng.choice((1, 18, 21))))
    elif kind == "none":
        del model.opset_import[:]
    elif kind == "labels":
        entries = {"labels": rng.choice(('["x"]', "", "[" * 100_000, "\x1b[2J", "x" * 5_000_000))}
        if rng.random() < 0.5:
            model.ClearField("metadata_props")
        for name, value in entries.items():
            model.metadata_props.add(key=name, value=value)
    elif kind == "more":
        settings = '{"session_options": {"intra_op_num_threads": 64, "optimized_model_filepath": "written"}}'
        model.metadata_props.add(key="ort_config", value=settings)
    elif kind == "words":
        model.doc_string = rng.choice(("x" * 5_000_000, "\x1b[2J"))
        model.producer_name = model.graph.name = "two\nlines"
    elif kind == "names":
        rng.choice(model.graph.node).name = rng.choice(("\x1b[2J\n", "x" * 3_000_000, "%s%s%n"))
        rng.choice(model.graph.node).op_type = rng.choice(("No\nsuch", "\x1b]0;title\x07", "x" * 1_000_000, "Softmax"))
    elif kind == "training":
        model.training_info.add().algorithm.CopyFrom(model.graph)
    else:
        model.ClearField("graph")


def shuffled(rng: Random, model: ModelProto) -> bytes:
    """Fields of the file, the graph or a tensor in another order, twice, cut off or of another number."""
    data = bytearray(model.SerializeToString())
    kind = rng.choice(("twice", "key", "key", "length", "group", "junk"))
    if kind == "twice":
        return bytes(data) * 2
    if kind == "junk":
        last = key(2**29 - 1, 5) + b"abcd"  # the largest number of a field
        more = (message(100, b"x" * 1000), b"\xf8\xff\xff\xff\x0f\x01", b"\x00\x00", b"\x03", last)
        return bytes(data) + rng.choice(more)
    at = rng.randrange(min(len(data), 2_000))
    if kind == "length":
        data[at : at + 1] = b"\xff\xff\xff\xff\x07"
    elif kind == "group":
        data[at : at + 1] = b"\x0b\x0c"
    else:
        data[at] = rng.choice((data[at] ^ 8, data[at] | 0x80, data[at] & 0x78 | rng.randrange(6)))
    return bytes(data)
