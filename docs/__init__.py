"""The documents; `docs.make` writes those that are generated, `docs/conf.py` makes a site of all."""
