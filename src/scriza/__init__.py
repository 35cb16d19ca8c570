"""Scriza: an AI that answers phone calls for small sales teams."""

__version__ = "0.1.0"
