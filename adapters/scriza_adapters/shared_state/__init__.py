"""What processes know together: in one process, or in Redis."""
