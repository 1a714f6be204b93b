"""AdvRD's tables and figures, one a file; each yields its numbers as they are measured."""
