"""What the gateway costs, side by side with what else could stand in its place: `python -m tests.bench`."""
