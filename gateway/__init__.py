"""The brain behind a Simli face: an OpenAI-compatible gateway with retrieval over Chroma."""
