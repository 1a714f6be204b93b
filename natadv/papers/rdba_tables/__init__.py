"""RDBA's tables and figures (Zhao et al. 2022)."""
