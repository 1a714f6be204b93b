"""Patience: how long a live run waits before it does something about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run waits before it does something about it, in seconds.

    Attributes:
        frame_s: for a camera's next frame, before there is no signal (or, before the first frame, an error).
        signal_s: without signal, before it ends with an error; None: for ever.
        age_s: that a live source's frame may be old when it comes and when the model is asked; older ones are let go.
        driver_s: for the reader to come back out of the source, before it is left behind and another opens the source.
        readers: left behind one after another without a frame, or held at one time, before it ends with an error.
        model_s: for an answer, before the model is replaced by a fresh one.
        restarts: models that fail one after another without an answer, or hang at one time, before it ends with an
            error.
        opening_s: for a model that is opened anew, before it ends with an error; TensorRT builds for minutes.
        stop_s: for what is under way when it is asked to end, before that is let go.
    """

    frame_s: float = 10.0
    signal_s: float | None = None
    age_s: float = 10.0
    driver_s: float = 30.0
    readers: int = 3
    model_s: float = 30.0
    restarts: int = 3
    opening_s: float = 1200.0
    stop_s: float = 5.0
