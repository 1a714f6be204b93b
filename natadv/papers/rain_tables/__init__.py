"""The tables and figures of RAIN."""
