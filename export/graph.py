"""The deployed graph: what the device is given, and what it answers."""

import torch
from torch import Tensor, nn

from edge.manifest import DISAGREEMENT, OUTPUTS, SCORE, RainNoise
from export.resize import Resize
from natadv.defenses.agreement import agreed
from natadv.defenses.rain import Noise, Rain
from natadv.evaluation.latency import deployed


class DeployedClassifier(nn.Module):
    """A classifier as it is deployed: camera bytes in, probabilities out, behind RAIN where it is given.

    The classifier maps float RGB (n, 3, h, w) in [0, 1] to logits and normalises inside. Nothing in here may
    draw random numbers: an exported graph either freezes them or draws others than torch. RAIN's come in as inputs.

    Attributes:
        noise: what chance it takes beside the frames; None: none.
        inputs: those arguments of `forward` that it takes, in order.
        outputs: names of what `forward` gives, in order.
    """

    def __init__(
        self,
        classifier: nn.Module,
        *,
        rain: Rain | None = None,
        input_size: tuple[int, int] | None = None,
        draws: int = 1,
        temperature: float = 1.0,
        detector: nn.Module | None = None,
        any_size: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            classifier: as above.
            rain: before it; its network is folded where it folds.
            input_size: (height, width) that the classifier sees, which RAIN's noise depends on.
            draws: passes through RAIN to average for a frame.
            temperature: that logits are divided by before they become probabilities.
            detector: maps the frames, float RGB (n, 3, h, w) in [0, 1], at the input size and before RAIN, to logits
                (n,) of being adversarial.
            any_size: take frames of any size and resize them, see `export.resize`.

        Raises:
            ValueError: if there is no draw, or more than one without RAIN, or RAIN without the size, or the temperature
                is not positive.
        """
        super().__init__()
        if draws < 1 or (rain is None and draws > 1) or (input_size is None and (any_size or rain is not None)):
            raise ValueError(f"expected one draw or more of RAIN, and the input size, got {draws} and {input_size}")
        if not temperature > 0:
            raise ValueError(f"expected a positive temperature, got {temperature}")
        self.classifier = classifier
        self.temperature = temperature
        self.rain = None if rain is None else _folded(rain)
        self.noise = None if rain is None or input_size is None else _noise_of(rain, input_size, draws)
        self.inputs = ("frames", *(self.noise.shapes if self.noise else ()))
        self.detector = detector
        self.resize = Resize(input_size) if any_size and input_size is not None else None
        self.outputs = (*OUTPUTS, *([DISAGREEMENT] if draws > 1 else []), *([SCORE] if detector is not None else []))
        self._draws = draws

    def forward(self, frames: Tensor, pick: Tensor | None = None, shift: Tensor | None = None) -> tuple[Tensor, ...]:
        """Map frames to probabilities and logits, both float32 (n, classes), and to what else `outputs` names, (n,).

        The probabilities are softmax(logits / temperature). Of several draws the logits are the logarithm of the mean
        of their probabilities, so that a temperature changes no answer; `disagreement`, 0..1, is the mean over draws of
        the total variation between a draw's probabilities and that mean. `score`, 0..1, is the detector's.

        Args:
            frames: uint8 RGB (n, h, w, 3), of the input size unless it takes any.
            pick: int32, (n, *noise.pick), where there is one.
            shift: int32, (n, 2 * draws), where there is one.
        """
        levels = frames.permute(0, 3, 1, 2).to(torch.float32) if self.resize is None else self.resize(frames)
        batch = levels / 255
        logits, more = self._classify(batch, pick, shift)
        if self.detector is not None:
            more = (*more, torch.sigmoid(self.detector(batch)))
        return torch.softmax(logits / self.temperature, dim=1), logits, *more

    def _classify(self, batch: Tensor, pick: Tensor | None, shift: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits, and the disagreement where there are several draws."""
        if self.rain is None:
            return self.classifier(batch), ()
        k = self._draws
        if k == 1:
            return self.classifier(self.rain(batch, Noise(pick, shift))), ()
        batch = batch[:, None].expand(-1, k, -1, -1, -1).flatten(0, 1)
        pick = None if pick is None else pick.reshape(-1, pick.shape[1] // k, pick.shape[2], pick.shape[3])
        shift = None if shift is None else shift.reshape(-1, 2)
        logits = self.classifier(self.rain(batch, Noise(pick, shift)))
        mean, apart = agreed(logits.unflatten(0, (-1, k)))
        return mean, (apart,)


def _folded(rain: Rain) -> Rain:
    return Rain(deployed(rain.upsampler), share=rain.share, order=rain.order, per_channel=rain.per_channel)


def _noise_of(rain: Rain, size: tuple[int, int], draws: int) -> RainNoise:
    drawn = rain.draw(1, size, torch.Generator().manual_seed(0))
    pick = None if drawn.pick is None else (draws * drawn.pick.shape[1], drawn.pick.shape[2], drawn.pick.shape[3])
    return RainNoise(draws=draws, pick=pick, reach=None if drawn.shift is None else rain.reach(size))
