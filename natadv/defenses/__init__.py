"""Defences: RAIN, and the preprocessing and adversarial training that it is compared with."""
