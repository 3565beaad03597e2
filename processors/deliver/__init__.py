"""Events reach the queues of those who subscribed."""
