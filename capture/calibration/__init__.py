"""Measure a rig: where its screen is, how light becomes numbers, and whether it is fit for a session."""
