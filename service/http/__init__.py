"""HTTP as every service here serves it."""
