"""Workspaces, people, roles, sessions, keys, password reset, second factor, log-in by other providers."""
