"""The web console: pages over the public API, asked for with the token of whoever looks at them."""
