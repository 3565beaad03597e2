"""Groups of failures that people recognise."""
