"""Training of super-resolution networks, and of RAIN through a classifier that stays as it is."""
