"""faster-whisper: hears anything that is said, with a model on disk. It never downloads one by itself.

`models` finds and fetches models, `engine` recognises with one, `guards` tells words from what Whisper makes up.
"""
