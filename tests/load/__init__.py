"""Many callers at once: what each of them heard, and how it ended."""
