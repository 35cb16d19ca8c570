"""The edge: who may enter, request ids, health."""
