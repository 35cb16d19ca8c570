"""espeak-ng: a voice that needs no key and no download.

The library is GPL-licensed and keeps one global state, so it lives in a worker process: `binding` and `child` are
imported there and nowhere else, `engine` is Scriza's side.
"""
