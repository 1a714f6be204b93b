"""Attacks: one a file, one signature."""
