"""Checkpoint to one self-contained .onnx file, compared with its original."""
