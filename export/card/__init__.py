"""The model card of a bundle: what the model is, how good, for what, and pictures of it at work."""
