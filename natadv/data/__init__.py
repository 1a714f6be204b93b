"""Datasets by name, each read in its own official layout."""
