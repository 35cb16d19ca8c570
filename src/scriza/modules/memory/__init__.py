"""Memory: what was said in calls, what is known of callers, and what it all comes to in figures."""
