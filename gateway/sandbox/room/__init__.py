"""The room of a session, where a person meets the avatar. The real one is Daily's; this is our own, and small."""
