"""A call as a pure state machine: events and the time go in, commands come out; audio never enters it."""
