"""Cameras: the Protocol, and one driver a file."""
