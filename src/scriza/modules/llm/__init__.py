"""Model policy, cache, fallback, metering."""
