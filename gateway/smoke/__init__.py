"""A whole conversation with an avatar, spoken and heard, and the report of what it was like."""
