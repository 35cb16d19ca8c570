"""whisper.cpp: Whisper without a GPU or a Python runtime behind it, with models of one file (extra `whisper-cpp`).

It lives in worker processes. It lets other threads run meanwhile, but a model's context serves one utterance at a time,
an assertion in it ends its process, and in a process of its own a recognition that nobody waits for can be stopped.
"""
