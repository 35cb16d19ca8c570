"""pocketsphinx: hears a playbook's phrases, with nothing to download. For demos and tests, not for real callers.

It holds the interpreter's lock while it works, so it lives in a worker process: `child` and what it imports are loaded
there, `engine` is Scriza's side.
"""
