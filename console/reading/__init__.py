"""What is in an event: its payload and fault decoded, in one line, and beside what they were before."""
