"""What a voice is made of."""
