"""The doors between rooms: one file per bounded context, its Protocol(s) and the messages they exchange."""
