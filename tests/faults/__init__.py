"""What the caller sees when something breaks: a test for every row."""
