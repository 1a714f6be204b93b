"""The hardware, real and simulated, behind small protocols."""
