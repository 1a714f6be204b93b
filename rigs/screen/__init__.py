"""Screens: the Protocol, and one driver a file."""
