"""Classifiers from ONNX files, as differentiable torch modules (through onnx2torch).

For pretrained networks that come as ONNX: their file takes float RGB in [0, 1] of one size and gives logits, its
normalisation being inside. A picture of another size is resized bilinearly, averaging when it shrinks, as the whole
picture to the whole input.
"""

import copy
from pathlib import Path

import onnx
import onnx2torch
import torch
from torch import Tensor, fx, nn
from torch.nn.functional import interpolate

from natadv.errors import DataError

_LAST_LAYERS = (nn.Conv2d, nn.Linear)


class OnnxClassifier(nn.Module):
    """A network from an ONNX file; its weights are frozen, gradients flow to the batch.

    Attributes:
        name: the file's name.
        input_size: (height, width) in pixels that the network takes.
        classes: how many logits it gives.
        num_features: how many features its last layer takes.
    """

    def __init__(self, graph: fx.GraphModule, *, name: str, input_size: tuple[int, int]) -> None:
        """Take a converted network.

        Raises:
            DataError: if it does not map (n, 3, h, w) to logits, (n, classes), by a last linear layer or convolution.
        """
        super().__init__()
        self.name = name
        self.input_size = input_size
        self.network = graph.requires_grad_(False)
        self._body = _up_to_last_layer(self.network, name)
        self.eval()
        with torch.no_grad():
            batch = torch.zeros(2, 3, *input_size)
            try:
                logits, features = self(batch), self.features(batch)
            except (RuntimeError, TypeError, ValueError) as error:
                raise DataError(f"{name}: does not run on a batch ({str(error).splitlines()[0]})") from error
        if logits.ndim != 2 or len(logits) != 2:
            raise DataError(f"{name}: gives {tuple(logits.shape)} for two pictures; expected logits, (2, classes)")
        self.classes = logits.shape[1]
        self.num_features = features.shape[1]

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float (n, 3, h, w), RGB in [0, 1], of any size to logits, (n, classes)."""
        return self.network(self._sized(batch))

    def features(self, batch: Tensor) -> Tensor:
        """Map a batch, as `forward` takes it, to the input of the last layer, averaged over places, (n, features)."""
        features = self._body(self._sized(batch))
        return features.flatten(2).mean(2) if features.ndim > 2 else features

    def _sized(self, batch: Tensor) -> Tensor:
        if batch.shape[-2:] == self.input_size:
            return batch
        return interpolate(batch, self.input_size, mode="bilinear", antialias=True)


def load_onnx_classifier(path: Path) -> OnnxClassifier:
    """Read a classifier from an ONNX file that takes one float32 input (n, 3, h, w), RGB in [0, 1].

    What its numbers mean the file does not say: that RGB is in [0, 1] and that logits come out is the caller's to know.

    Raises:
        DataError: if the file is missing or damaged, has another input, or holds what onnx2torch cannot convert.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not a readable ONNX model ({error.strerror})") from error
    return onnx_classifier(data, path)


def onnx_classifier(data: bytes, path: Path) -> OnnxClassifier:
    """Return the classifier of an ONNX file's bytes, as `load_onnx_classifier` does; `path` is for messages."""
    try:
        model = onnx.load_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's errors share no base with onnx's
        raise DataError(f"{path}: not a readable ONNX model ({type(error).__name__})") from error
    size = _input_size(model.graph, path)
    try:
        graph = onnx2torch.convert(model)
    except (NotImplementedError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: onnx2torch cannot convert it ({reason})") from error
    return OnnxClassifier(graph, name=path.name, input_size=size)


def _input_size(graph: onnx.GraphProto, path: Path) -> tuple[int, int]:
    weights = {weight.name for weight in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise DataError(f"{path}: has {len(inputs)} inputs and {len(graph.output)} outputs; expected one of each")
    tensor = inputs[0].type.tensor_type
    shape = [dimension.dim_value or dimension.dim_param for dimension in tensor.shape.dim]
    sized = len(shape) == 4 and shape[1] == 3 and all(isinstance(side, int) for side in shape[2:])
    if tensor.elem_type != onnx.TensorProto.FLOAT or not sized or shape[0] == 1:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise DataError(f"{path}: takes {kind} {shape}; expected float32 (n, 3, height, width) with n free")
    return int(shape[2]), int(shape[3])


def _up_to_last_layer(network: fx.GraphModule, name: str) -> fx.GraphModule:
    """Return the network without its last layer and what follows; weights are shared."""
    graph = copy.deepcopy(network.graph)
    modules = dict(network.named_modules())
    for node in reversed(graph.nodes):
        if node.op == "call_module" and isinstance(modules[node.target], _LAST_LAYERS):
            before = node.args[0]
            output = next(iter(reversed(graph.nodes)))
            output.args = (before,)
            body = fx.GraphModule(network, graph)
            body.graph.eliminate_dead_code()
            body.recompile()
            body.delete_all_unused_submodules()
            return body
    raise DataError(f"{name}: has neither a linear layer nor a convolution to take features before")
