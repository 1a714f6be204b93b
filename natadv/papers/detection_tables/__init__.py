"""Tables and figures of the study of detectors (Agarwal et al. 2022)."""
