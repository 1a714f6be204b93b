"""Classifiers: timm backbones and our own, with normalisation inside."""
