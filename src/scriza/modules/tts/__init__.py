"""Words in, speech out; cache; word times."""
