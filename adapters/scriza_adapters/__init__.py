"""Everything that touches the outside: one file or folder per technology."""
