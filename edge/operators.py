"""What a deployed graph may not do, since no run on golden frames would show it.

Chance would make the answers another model's; branches and loops may hang on one picture and on no other; operators
of other makers, or of the model's own, are code that nobody here knows. That a model is otherwise sound is for a
run to show (`edge.trial`).
"""

from typing import Final

from edge.onnx_parts import Fields, parts
from edge.wording import one_line

RANDOM: Final = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_OWN: Final = ("", "ai.onnx")  # two names of ONNX's own domain
# Field numbers of onnx.proto.
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_NODE_INPUT, _NODE_OPERATOR, _NODE_DOMAIN = 1, 4, 7
_ATTRIBUTE_GRAPHS = (6, 11)


def forbidden(model: bytes, opset: int) -> str | None:
    """Say what a model does that none may do; None where it is nothing.

    Args:
        model: an ONNX file's bytes.
        opset: that it must have.

    Raises:
        ValueError: if the bytes are no ONNX model.
    """
    opsets = []
    for kind, found in parts(model):
        if kind == "function":
            return "has functions of its own"
        if kind == "training":
            return "has graphs for a training"
        if kind == "attribute" and any(number in _ATTRIBUTE_GRAPHS for number, _ in found):
            return "branches or loops"
        if kind == "opset" and set(_words(found, _OPSET_DOMAIN)) <= set(_OWN):
            opsets += [value for number, value in found if number == _OPSET_VERSION]
        if kind == "node" and (problem := _of_node(found)) is not None:
            return problem
    if opsets != [opset]:
        return f"has opset {', '.join(map(str, opsets)) or 'none'}, its manifest says {opset}"
    return None


def _of_node(found: Fields) -> str | None:
    # Of a field that is there twice, a reader takes the last; none of them may be wrong.
    operators, inputs = _words(found, _NODE_OPERATOR), _words(found, _NODE_INPUT)
    for domain in _words(found, _NODE_DOMAIN):
        if domain not in _OWN:
            return f"uses {one_line(', '.join(operators))} of {one_line(repr(domain))}, which is not ONNX's own"
    for operator in operators:
        if operator in RANDOM or (operator == "Dropout" and len(inputs) > 2 and inputs[2]):
            return f"draws random numbers ({operator})"
    return None


def _words(found: Fields, number: int) -> list[str]:
    return [str(value, "utf-8", "replace") for key, value in found if key == number and not isinstance(value, int)]
