"""Stages that move the plate: the Protocol, and one driver a file."""
