"""Conversation, prompt assembly, the loop from words to spoken clauses."""
