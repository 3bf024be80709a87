"""What is said aloud of an answer."""
