"""Raindrops on a glass plate, as optics (numpy and OpenCV, no torch)."""
