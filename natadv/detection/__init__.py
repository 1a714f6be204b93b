"""Detection: telling adversarial images, natural and artificial, from clean ones."""
