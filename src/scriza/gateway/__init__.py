"""The edge: who may pass, what every request carries, what failures look like, what probes are told."""
