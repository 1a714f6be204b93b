"""Calibration: models whose secret is known, to tune the inspection on some and measure its errors on others."""
