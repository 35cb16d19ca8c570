"""Playbooks as source code: reads, checks, merges and keeps them, and has their fixed lines spoken."""
