"""The core of a turn: pure functions and async generators; no I/O."""
