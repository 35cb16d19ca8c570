"""Twilio's REST API, by httpx: what Scriza asks the telephone company for."""
