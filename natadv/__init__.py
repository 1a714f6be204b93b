"""natadv: natural adversarial examples made by raindrops on glass."""
