"""Subscriptions: the list, one of them, its form, what was delivered, sending again, and jobs."""
