"""Callers who are to be forgotten: everything that telephony keeps of them is erased, and that is told."""
