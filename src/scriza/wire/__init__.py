"""One port, two sides: `serve` makes its routes, `connect` its client."""
