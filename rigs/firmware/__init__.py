"""A stand-in for a stage's controller: GRBL 1.1h or grblHAL, as their documentation says, on a pseudo-terminal."""
