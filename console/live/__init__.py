"""Live tails: what is received from now on, and since a page was made, for all who look on."""
