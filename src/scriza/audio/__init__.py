"""Pure functions on samples. Mono throughout; int16 is the common currency, mu-law the phone line's."""
