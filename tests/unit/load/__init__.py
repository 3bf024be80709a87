"""What is pure in the load: traffic, steps, agreement, bounds, and how a stream is judged."""
