"""Sprayers that wet the plate: the Protocol, and one driver a file."""
