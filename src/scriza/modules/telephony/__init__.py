"""Twilio webhooks and media socket; the call machine; turn taking; playout."""
