"""One port, two sides: `serve` makes its HTTP routes, `connect` the client of the same routes."""

from scriza.wire.connect import connect, disconnect
from scriza.wire.serve import serve

__all__ = ["connect", "disconnect", "serve"]
