"""The networks of the AdvRD quasi-GAN (Liu et al. 2023, Sec. 3.2)."""
