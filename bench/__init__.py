"""Measurements, never assertions: CPU per event and ratios to a limit measured in the same run."""
