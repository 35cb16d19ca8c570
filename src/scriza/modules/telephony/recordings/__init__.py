"""Recordings of calls: kept in segments while the call lives, then as one file; or made by the carrier and fetched."""
