"""A strict Twilio that anyone can run offline. It is the outside world: it shares no code with telephony."""
