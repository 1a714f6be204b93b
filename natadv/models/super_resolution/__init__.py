"""Super-resolution networks, which double the sides of a picture."""
