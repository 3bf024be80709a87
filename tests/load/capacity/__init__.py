"""What this gateway can carry: measured piece by piece, and calculated from there: `python -m tests.load.capacity`."""
