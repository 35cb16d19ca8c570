"""The shell around the call machine: it reads the socket, listens, speaks, thinks and keeps the journal.

One `Session` per media stream owns everything that runs for it; the machine decides, the others do one thing each.
"""
