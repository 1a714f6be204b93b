"""Classifier: a verified bundle, running on a device that proved it computes the same as its original."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from edge import tensorrt
from edge.binding import Binding, without_graph
from edge.bundle import MODEL, Bundle, read_bundle
from edge.golden import Golden
from edge.manifest import DISAGREEMENT, INPUT, OUTPUTS, SCORE
from edge.noise import NoiseStream
from edge.prediction import Prediction
from edge.runtime import PROVIDERS, Device, load_runtime, open_session, why
from edge.signature import read_signed
from edge.trial import try_out
from edge.wording import one_line
from natadv.errors import BundleError, DeviceError
from natadv.images import Image, resize

# Largest difference of a logit from the original's, as a share of the largest logit (at least of 1). CUDA
# multiplies in TF32 and TensorRT picks its kernels: both round to about 3 digits.
TOLERANCE: Final = {PROVIDERS["cpu"]: 1e-3, PROVIDERS["cuda"]: 2e-2, PROVIDERS["tensorrt"]: 2e-2}
# Half precision has 3 digits; of 8 bits, another processor's kernels round some to the next step.
_PRECISION_TOLERANCE: Final = {"fp32": 0.0, "fp16": 2e-2, "int8": 5e-2}
# Of a probability from the softmax of the same run's logits.
_SOFTMAX_TOLERANCE: Final = {"fp32": 1e-3, "fp16": 1e-2, "int8": 1e-3}


class Classifier:
    """Images in, predictions out; opened once.

    On the CPU several threads may ask at once, as ONNX Runtime allows; on a GPU one at a time.

    Attributes:
        manifest: what the bundle says of itself.
        labels: one per class, in the order of the probabilities.
        input_size: (height, width) of the model's input.
        digest: SHA-256 of `model.onnx` in hex.
        provider: what the model runs on, as the runtime said when asked, as "CUDAExecutionProvider".
        noise: where a randomised model's chance comes from; None for any other.
    """

    def __init__(
        self,
        bundle_folder: Path,
        *,
        device: Device = "auto",
        allow_cpu: bool = False,
        threads: int | None = None,
        noise_seed: bytes | None = None,
        public_key: Path | None = None,
        graph: bool = False,
        runtime: Any = None,
    ) -> None:
        """Verify a bundle, open it on a device, and replay its golden frames.

        Args:
            bundle_folder: as `natadv export` writes it.
            device: "auto" takes TensorRT, else CUDA, else the CPU where the runtime is a CPU build.
            allow_cpu: run on the CPU where the GPU cannot be had, instead of raising.
            threads: CPU threads of one run; None leaves it to the runtime.
            noise_seed: 32 bytes that a randomised model's chance follows from, to replay a run; by default fresh ones
                of the operating system, as a defence needs.
            public_key: refuse a bundle that its owner did not sign. Without one, the model is tried out in a process of
                its own first, see `edge.trial`.
            graph: capture the model as a CUDA graph, so that a frame costs one launch.
            runtime: stands in for the module onnxruntime in tests.

        Raises:
            BundleError: if the bundle is incomplete, altered, or its model is not what its manifest says.
            DeviceError: if the GPU cannot be had and the CPU is not allowed, or if it computes wrongly.
            ConfigError: if ONNX Runtime, or what checks signatures, is not installed.
            ResourceError: if there is no memory for it, or no process to try it out.
        """
        bundle = read_bundle(bundle_folder) if public_key is None else read_signed(bundle_folder, public_key)
        self.manifest = bundle.manifest
        self.labels = bundle.manifest.labels
        self.input_size = bundle.manifest.input_size
        self.digest = bundle.manifest.model_sha256
        self._outputs = list(bundle.manifest.outputs)
        self._threshold = None if bundle.manifest.detector is None else bundle.manifest.detector.threshold
        model_path = bundle_folder / MODEL
        if public_key is None and runtime is None:
            load_runtime()  # says how to install it
            try_out(bundle.model_bytes, bundle.golden_bytes, model_path, threads=threads)
        runtime = runtime or load_runtime()
        # Of runs of any shape, and of those from fixed places, which alone a CUDA graph may be made of.
        self._options, self._bound_options = runtime.RunOptions(), runtime.RunOptions()
        if graph:
            without_graph(self._options)
        try:
            self._session, self.provider = open_session(
                runtime,
                bundle.model_bytes,
                digest=self.digest,
                shapes=bundle.manifest.input_shapes,
                device=device,
                allow_cpu=allow_cpu,
                threads=threads,
                precision=bundle.manifest.precision,
                graph=graph,
            )
        except BundleError as error:
            raise BundleError(f"{model_path}: {error}") from error
        noise = bundle.manifest.noise
        self.noise = None if noise is None else NoiseStream(noise, noise_seed)
        self._max_batch = tensorrt.MAX_BATCH if self.provider == PROVIDERS["tensorrt"] else None
        self._binding: Binding | None = None
        try:
            _check_interface(self._session, bundle, model_path)
            if self.provider != PROVIDERS["cpu"]:
                self._binding = self._bind(runtime, "cuda")
            self._replay(bundle, bundle_folder)
        except BaseException:
            self.close()
            raise

    @property
    def described(self) -> str:
        """What runs where, in words for everybody; so the seed of its noise is not among them."""
        detector = "no detector" if self._threshold is None else f"a detector, alarm above {self._threshold:.3g}"
        return f"{len(self.labels)} labels, on {self.provider}, sha256 {self.digest[:12]}, {detector}"

    def probabilities(self, frames: NDArray[np.uint8], numbers: Sequence[int] | None = None) -> NDArray[np.float32]:
        """Return the softmax probabilities, (n, classes), of frames at the model's own size.

        Args:
            frames: uint8 RGB, (n, h, w, 3); n may be 0.
            numbers: of the noise that each frame is seen with; by default such as were never used. Only a randomised
                model looks at them.

        Raises:
            ValueError: if they are of another type or shape, or the classifier is closed.
            DeviceError: if the device fails.
        """
        return self._run(frames, self._chance(len(frames), numbers)[1])[0]

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """Return a prediction for each image, uint8 RGB (h, w, 3) of any size; they are resized by `resize`.

        Raises:
            ValueError: if one is no such image, or the classifier is closed.
            DeviceError: if the device fails.
        """
        return self.answer(self.prepare(images))

    def prepare(self, images: Sequence[Image]) -> NDArray[np.uint8]:
        """Return images of any size as frames at the model's own, (n, h, w, 3).

        Raises:
            ValueError: if one is no image, uint8 RGB (h, w, 3).
        """
        frames = np.empty((len(images), *self.input_size, 3), np.uint8)
        for place, image in enumerate(images):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise ValueError(f"expected an image, uint8 (h, w, 3), got {image.dtype} {image.shape}")
            frames[place] = resize(image, self.input_size)
        return frames

    def answer(self, frames: NDArray[np.uint8]) -> list[Prediction]:
        """Return a prediction for each of `prepare`'s frames.

        Raises:
            ValueError: if they are of another type or shape, or the classifier is closed.
            DeviceError: if the device fails, or `abandon` was called.
        """
        predictions = []
        numbers, chance = self._chance(len(frames), None)
        found = dict(zip(self._outputs, self._run(frames, chance), strict=True))
        disagreement, score = found.get(DISAGREEMENT), found.get(SCORE)
        for place, (row, number) in enumerate(zip(found["probabilities"], numbers, strict=True)):
            index = int(row.argmax())
            predictions.append(
                Prediction(
                    self.labels[index],
                    index,
                    float(row[index]),
                    row,
                    number,
                    None if disagreement is None else float(disagreement[place]),
                    None if score is None else float(score[place]),
                    self._threshold,
                )
            )
        return predictions

    def abandon(self) -> None:
        """Let an answer that another thread waits for end with an error, as soon as the runtime looks up."""
        self._options.terminate = self._bound_options.terminate = True

    def close(self) -> None:
        """Free the model; may be called twice."""
        self._binding = self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chance(
        self, count: int, numbers: Sequence[int] | None
    ) -> tuple[Sequence[int | None], dict[str, NDArray[np.int32]]]:
        """Return the numbers of the noise of so many frames, and that noise."""
        if self.noise is None:
            return [None] * count, {}
        if numbers is None:
            numbers = self.noise.fresh(count)
        if len(numbers) != count:
            raise ValueError(f"expected a noise number for each of {count} frames, got {len(numbers)}")
        return numbers, self.noise.at(numbers)

    def _run(self, frames: NDArray[np.uint8], chance: Mapping[str, NDArray[np.int32]]) -> list[NDArray[np.float32]]:
        """Return the model's outputs in the order of `Manifest.outputs`, a row a frame."""
        if self._session is None:
            raise ValueError("expected an open classifier, this one is closed")
        expected = (*self.input_size, 3)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != expected:
            height, width = self.input_size
            raise ValueError(f"expected frames uint8 (n, {height}, {width}, 3), got {frames.dtype} {frames.shape}")
        step = self._max_batch or max(1, len(frames))
        parts = []
        for start in range(0, len(frames), step):
            stop = start + step
            feed: dict[str, NDArray[Any]] = {INPUT: np.ascontiguousarray(frames[start:stop])}
            feed |= {name: values[start:stop] for name, values in chance.items()}
            count = len(feed[INPUT])
            try:
                answers = self._ask(feed)
            except Exception as error:  # the runtime's errors share no base of their own
                raise DeviceError(f"{self.provider}: failed on a batch of {count}: {why(error)}") from error
            for answer, shape in zip(answers, self.manifest.outputs.values(), strict=True):
                if answer.shape != (count, *shape) or not np.isfinite(answer).all():
                    raise DeviceError(f"{self.provider}: gave no number for each label of each of {count} frames")
            parts.append(answers)
        if not parts:
            return [np.empty((0, *shape), np.float32) for shape in self.manifest.outputs.values()]
        if len(parts) == 1:
            return list(parts[0])
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    def _ask(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        if self._binding is not None and self._binding.fits(feed):
            return self._binding.run(feed, self._bound_options)
        return list(self._session.run(self._outputs, feed, self._options))

    def _bind(self, runtime: Any, memory: str) -> Binding:
        """Return fixed places for one frame's inputs and outputs."""
        inputs: dict[str, tuple[Any, tuple[int, ...]]] = {
            name: (np.uint8 if name == INPUT else np.int32, (1, *shape))
            for name, shape in self.manifest.input_shapes.items()
        }
        outputs = {name: (1, *self.manifest.outputs[name]) for name in self._outputs}
        try:
            return Binding(runtime, self._session, inputs, outputs, memory=memory)
        except Exception as error:  # the runtime's errors share no base of their own
            raise DeviceError(f"no room on {self.provider} for a frame of this model: {why(error)}") from error

    def _replay(self, bundle: Bundle, folder: Path) -> None:
        """Compare this device's answers to the golden frames with the original model's.

        All at once, and one by one, as a live run asks. On a GPU that is through the places of `_bind`, and each frame
        twice: a CUDA graph is captured in the first runs and replayed in the next.
        """
        golden = bundle.golden
        try:
            asked = [("", self._run(golden.frames, golden.noise))]
            for _ in range(1 if self._binding is None else 2):
                asked.append((" when asked one by one", self._one_by_one(golden)))
        except DeviceError as error:
            kind = BundleError if self.provider == PROVIDERS["cpu"] else DeviceError
            raise kind(f"{folder}: on its golden frames, {error}") from error
        for how, answers in asked:
            self._compare(answers, golden, folder, how)

    def _one_by_one(self, golden: Golden) -> list[NDArray[np.float32]]:
        """Return the model's outputs for golden frames, each asked alone."""
        places = [slice(place, place + 1) for place in range(len(golden.frames))]
        rows = [
            self._run(golden.frames[one], {name: values[one] for name, values in golden.noise.items()})
            for one in places
        ]
        return [np.concatenate(output) for output in zip(*rows, strict=True)]

    def _compare(self, answers: Sequence[NDArray[np.float32]], golden: Golden, folder: Path, how: str) -> None:
        """Refuse answers to the golden frames that are not the original model's; `how` these were asked, in words."""
        probabilities, logits, *_ = answers
        precision = self.manifest.precision
        share = max(TOLERANCE.get(self.provider, 1e-3), _PRECISION_TOLERANCE[precision])
        tolerance = share * max(1.0, float(np.abs(golden.logits).max()))
        difference = float(np.abs(logits - golden.logits).max())
        below = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
        with np.errstate(over="ignore"):  # of a temperature next to nothing; the largest stays 1
            exponentials = np.exp(below / self.manifest.temperature)
        softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
        off = float(np.abs(probabilities - softmax).max())
        if difference > tolerance:
            what, by, most = "logits differ", difference, tolerance
        elif off > _SOFTMAX_TOLERANCE[precision]:
            what, by, most = "probabilities are not its logits' and differ", off, _SOFTMAX_TOLERANCE[precision]
        else:
            return
        text = (
            f"{folder}: on {self.provider} the golden frames' {what} by {by:.2g}"
            f" from the original model's{how} (at most {most:.2g} allowed)"
        )
        if self.provider == PROVIDERS["cpu"]:
            raise BundleError(f"{text}; export the model again")
        raise DeviceError(f"{text}; this GPU, driver or engine cache computes wrongly")


def _check_interface(session: Any, bundle: Bundle, path: Path) -> None:
    """Compare what the graph takes and gives with what the manifest says."""
    manifest = bundle.manifest
    height, width = manifest.input_size
    inputs = {item.name: (item.type, _known(item.shape[1:])) for item in session.get_inputs()}
    sides = [None, None] if manifest.any_size else [height, width]
    if inputs.get(INPUT) != ("tensor(uint8)", [*sides, 3]):
        taken = "of any size" if manifest.any_size else f"(n, {height}, {width}, 3)"
        raise BundleError(
            f"{path}: takes {one_line(inputs)}, its manifest says {INPUT} uint8 {taken}; export the model at this size"
        )
    expected = {
        name: ("tensor(uint8)", [*sides, 3]) if name == INPUT else ("tensor(int32)", list(shape))
        for name, shape in manifest.input_shapes.items()
    }
    if inputs != expected:
        raise BundleError(f"{path}: takes {one_line(inputs)}, its manifest says {expected}; export the model again")
    for item in session.get_inputs():
        if not isinstance(item.shape[0], str):
            raise BundleError(f"{path}: takes batches of {item.shape[0]} alone; export it again")
    outputs = {item.name: (item.type, list(item.shape[1:])) for item in session.get_outputs()}
    for name, shape in manifest.outputs.items():
        if outputs.get(name) != ("tensor(float)", list(shape)):
            rows = ", ".join(["n", *map(str, shape)])
            of_labels = ", one per label of the manifest" if name in OUTPUTS else ""
            raise BundleError(
                f"{path}: output {name} is {one_line(outputs.get(name))}, expected float ({rows}){of_labels}"
            )
    labels = session.get_modelmeta().custom_metadata_map.get("labels")
    if labels != manifest.labels_json:
        raise BundleError(f"{path}: its own labels are not those of the manifest; export the model again")


def _known(shape: Sequence[Any]) -> list[int | None]:
    """Return a shape with None for what may vary, which the runtime calls by some name."""
    return [side if isinstance(side, int) else None for side in shape]
