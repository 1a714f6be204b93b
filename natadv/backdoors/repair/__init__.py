"""Repairs: what the owner of a few clean pictures can do to a model that may hold a backdoor."""
