"""A face that moves and speaks: drawn, not filmed. What it is sent is heard, and its mouth follows it."""
