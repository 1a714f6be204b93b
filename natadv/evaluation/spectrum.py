"""Pictures without their high frequencies, at their old energy (Du et al. 2021, Sec. III-C, Eq. 4 and 5)."""

import torch
from torch import Tensor


def low_pass(images: Tensor, radius: float) -> Tensor:
    """Keep the frequencies up to `radius` and scale them so that the spectrum's energy is as before.

    All channels of a picture share one factor, or its colours would change.

    Args:
        images: (n, c, h, w), RGB in [0, 1].
        radius: r, as a share of the largest distance from frequency 0, that of a corner, 0..1.

    Returns:
        Images of that shape; scaling may take them beyond [0, 1].

    Raises:
        ValueError: if `radius` is not within 0..1.
    """
    if not 0 <= radius <= 1:
        raise ValueError(f"expected a radius within 0..1, got {radius}")
    h, w = images.shape[-2:]
    spectrum = torch.fft.fftshift(torch.fft.fft2(images), dim=(-2, -1))
    rows = torch.arange(h, device=images.device)[:, None] - h // 2
    columns = torch.arange(w, device=images.device)[None] - w // 2
    kept = (rows**2 + columns**2).sqrt() <= radius * 0.5 * (h**2 + w**2) ** 0.5
    filtered = spectrum * kept
    energy, left = (part.abs().square().sum((1, 2, 3), keepdim=True) for part in (spectrum, filtered))
    scale = (energy / left.clamp(min=torch.finfo(left.dtype).tiny)).sqrt()
    return torch.fft.ifft2(torch.fft.ifftshift(filtered * scale, dim=(-2, -1))).real
