"""Discriminator: D(o), one answer for the whole image, after AlexNet (Liu et al. 2023, Sec. 3.2.2).

Five convolutions and three linear layers, as Krizhevsky et al. 2012, narrower, for pictures of 64 px, with strides in
place of pooling. Spectral normalisation (Miyato et al. 2018) keeps it from winning at once; `literal` has none.
"""

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

_FIELD_PX = 64


class Discriminator(nn.Module):
    """Tells raindrop images from generated ones.

    Args:
        width: channels of its widest layer.
        spectral: whether to normalise its weights' spectra.
    """

    def __init__(self, width: int = 96, *, spectral: bool = True) -> None:
        super().__init__()
        thin, mid = width // 3, width * 2 // 3
        plan = ((3, thin, 5, 2), (thin, mid, 3, 2), (mid, width, 3, 2), (width, width, 3, 1), (width, mid, 3, 1))
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in plan:
            layers += [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.LeakyReLU(0.2)]
        layers += [nn.Flatten()]
        for inputs, outputs in ((mid * 64, width), (width, width), (width, 1)):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
        layers.pop()
        if spectral:
            layers = [spectral_norm(layer) if hasattr(layer, "weight") else layer for layer in layers]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logit of being a raindrop image, (n,), of images, (n, 3, h, w)."""
        images = functional.interpolate(images, (_FIELD_PX, _FIELD_PX), mode="area")
        return self.layers(images * 2 - 1)[:, 0]
