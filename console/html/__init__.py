"""What stands in the pages: templates, static files, times, texts from outside, JSON, charts."""
