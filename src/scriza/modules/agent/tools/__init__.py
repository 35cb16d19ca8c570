"""What a model may have done while it talks: acts that telephony carries out, and tools that bring something back."""
