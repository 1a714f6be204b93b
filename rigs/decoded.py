"""What a decoded frame shows, as an image."""

import av
import numpy as np

from natadv.images import Image


def rgb(frame: av.VideoFrame) -> Image:
    """Return a decoded frame of any pixel format as uint8 RGB, (h, w, 3).

    In this thread: left to itself, FFmpeg's scaler starts threads for every frame anew and waits for them, which takes
    half a millisecond of an idle machine and ten times as long of a busy one.
    """
    return np.asarray(frame.to_ndarray(format="rgb24", threads=1), np.uint8)
