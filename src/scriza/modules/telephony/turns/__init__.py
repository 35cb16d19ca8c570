"""Turn taking: when the caller's turn is over, and when the caller takes it. One policy a file; all are pure."""
