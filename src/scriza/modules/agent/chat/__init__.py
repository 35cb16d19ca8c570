"""Conversations in writing."""
