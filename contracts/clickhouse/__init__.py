"""Tables, their schema and what is asked of them."""
