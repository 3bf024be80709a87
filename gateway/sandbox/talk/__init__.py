"""A conversation as Simli holds it: the LLM is called, what it says is spoken, and what was spoken is remembered."""
