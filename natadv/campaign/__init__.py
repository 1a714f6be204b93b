"""Attacks on whole datasets, from files to files; on the roof, for a deployed bundle is asked through edge."""
