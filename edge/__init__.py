"""The device: runs a model bundle live, where torch is not installed."""
