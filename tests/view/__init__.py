"""The view over the log: proven by `events audit`, replaced by `events rebuild`, on a stack of their own."""
