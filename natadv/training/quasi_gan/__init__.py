"""Training the AdvRD quasi-GAN."""
