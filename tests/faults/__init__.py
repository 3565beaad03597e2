"""Faults injected into the materializer and its servers; every event is stored exactly once."""
