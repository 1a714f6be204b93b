"""Casts between half and full precision, as ONNX Runtime's converter puts them around nodes that stay in full.

It (1.31) makes a cast for each use of a tensor, all of one name, which is no graph then. And where one such node feeds
another, or an output, what passes between them is rounded to half precision and back.
"""

from typing import Final

import onnx

_TO_HALF, _TO_FULL = "_cast_to_fp16_node", "_cast_to_fp32_node"
_ENDS: Final = (_TO_HALF, _TO_FULL)
_TO_OUTPUT: Final = "graph_output_cast"


def join_casts(model: onnx.ModelProto) -> None:
    """Leave one of each of the converter's casts, and none that rounds on the way between two full-precision nodes."""
    casts = {node.name: node for node in model.graph.node if node.op_type == "Cast" and node.name.endswith(_ENDS)}
    halved = {node.output[0]: node.input[0] for node in casts.values() if node.name.endswith(_TO_HALF)}
    full = {
        node.output[0]: halved[node.input[0]]
        for node in casts.values()
        if node.name.endswith(_TO_FULL) and node.input[0] in halved
    }
    others = [node for node in model.graph.node if node.name not in casts]
    whole = {
        halved[node.input[0]]: node.output[0]
        for node in others
        if node.op_type == "Cast" and node.name.startswith(_TO_OUTPUT) and node.input[0] in halved
    }
    others = [node for node in others if node.op_type != "Cast" or node.output[0] not in whole.values()]
    for node in (*others, *casts.values()):
        for place, name in enumerate(node.input):
            node.input[place] = whole.get(full.get(name, name), full.get(name, name))
        for place, name in enumerate(node.output):
            node.output[place] = whole.get(name, name)
    kept = [node for node in casts.values() if node.output[0] not in full]
    used = {name for node in (*others, *kept) for name in node.input} | {output.name for output in model.graph.output}
    nodes = [*others, *(node for node in kept if node.output[0] in used)]
    described = {value.name: value for value in model.graph.value_info}
    gone = {name for node in casts.values() for name in node.output} - {name for node in nodes for name in node.output}
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.ClearField("value_info")
    model.graph.value_info.extend(value for name, value in described.items() if name not in gone)
