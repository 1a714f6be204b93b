"""Attacks on whole datasets, from files to files; on the roof, for bundles are asked through edge, sessions by rigs."""
