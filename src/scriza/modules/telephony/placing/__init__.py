"""Calls that we place and messages that we send: whether they may be, and that each happens once."""
