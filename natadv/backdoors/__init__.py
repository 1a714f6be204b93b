"""Backdoors: triggers that make a poisoned model answer with a target class, planting them, measuring and repairing."""
