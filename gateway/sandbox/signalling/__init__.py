"""How a client and the avatar come together: WebRTC, agreed upon over a POST or a WebSocket, in three dialects."""
