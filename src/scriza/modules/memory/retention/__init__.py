"""Retention: what a workspace does not keep for ever is removed in the background, a little at a time."""
