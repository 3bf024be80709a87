"""The other end of a face: a WebRTC client that joins a session, sends the sound it speaks, and measures what comes."""
