"""Proves what became of every delivery that was owed: `events audit --deliveries`."""
