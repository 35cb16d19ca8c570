"""Webhooks: events on their way to a team's own systems, and to people by letter."""
