"""Grad-CAM: which places of an image speak for a class (Selvaraju et al. 2017, Sec. 3), by the library grad-cam.

Grad-CAM++ (Chattopadhyay et al. 2018, Eq. 10, 19) weights places by themselves, so that several are found at once.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from natadv.errors import ConfigError
from natadv.models.frozen import frozen


def require_grad_cam() -> None:
    """Refuse to begin what will need a map where the library is not installed.

    Raises:
        ConfigError: if it is not.
    """
    try:
        import pytorch_grad_cam  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Grad-CAM needs the package grad-cam: in natadv's checkout, pip install '.[papers]'"
        ) from error


def grad_cam(
    model: nn.Module,
    images: Tensor,
    classes: Tensor,
    *,
    layer: nn.Module | None = None,
    batch_size: int = 32,
    method: Literal["grad-cam", "grad-cam++"] = "grad-cam",
) -> Tensor:
    """Return a map an image, float32 (n, h, w), 0 where nothing speaks for the class to 1 where most does.

    A map is scaled to its own largest value; it is 0 throughout where no place speaks for the class.

    Args:
        model: maps images to logits, (n, classes); nothing of it is changed.
        images: (n, 3, h, w), RGB in [0, 1].
        classes: the class of each image to ask for, (n,); as a rule the predicted one.
        layer: a module of `model` whose output, (n, c, h', w'), is weighted; by default `last_map`.
        batch_size: images at once.
        method: which of the two.

    Raises:
        ValueError: if the layer is not the model's, or the model has no map.
        ConfigError: if the library is not installed.
    """
    require_grad_cam()
    from pytorch_grad_cam import GradCAM, GradCAMPlusPlus  # noqa: PLC0415  # brings scikit-learn and pyplot
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: PLC0415

    chosen = last_map(model, images[:1]) if layer is None else layer
    if not any(module is chosen for module in model.modules()):
        raise ValueError("expected a layer of the model")
    maps = []
    with frozen(model), torch.enable_grad():
        library = (GradCAM if method == "grad-cam" else GradCAMPlusPlus)(model, [chosen])
        try:
            for some, asked in zip(images.split(batch_size), classes.split(batch_size), strict=True):
                # The weights are frozen, so it is the image that makes gradients flow.
                batch = some.detach().clone().requires_grad_()
                maps.append(library(batch, [ClassifierOutputTarget(int(index)) for index in asked]))
        finally:
            library.activations_and_grads.release()
    return torch.from_numpy(np.concatenate(maps))


@torch.no_grad()
def last_map(model: nn.Module, images: Tensor, *, places: int = 1) -> nn.Module:
    """Return the last module in the order of computing that gives a map: the last convolutional layer's features.

    As the method's paper takes them, these are the features after that layer's normalisation and rectification.

    Args:
        model: maps images to logits.
        images: one or more, (n, 3, h, w).
        places: the map has more than so many.

    Raises:
        ValueError: if no module gives a map, (n, c, h', w') with more than one place.
    """
    found: list[nn.Module] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > places:
            found.append(module)

    handles = [module.register_forward_hook(note) for module in model.modules() if module is not model]
    try:
        with frozen(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError(f"{type(model).__name__} has no layer that gives a map; name one")
    return found[-1]
