"""The bounded contexts. Each implements its port and knows the others only by theirs."""
