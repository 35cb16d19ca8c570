"""ElevenLabs: speech streamed over HTTP with the time of every character, plainly, or through kept-open sockets.

The protocol is that of https://elevenlabs.io/docs/api-reference/text-to-speech, by the vendor's SDK where it has it;
its websocket with several contexts is spoken directly.
"""
