"""Rates with intervals and other measures of a model."""
