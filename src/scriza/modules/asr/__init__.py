"""Speech in, words out."""
