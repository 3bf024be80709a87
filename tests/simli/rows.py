"""Simli's endpoints that its clients are known to use, as the two tables of its contract have them."""

IN_SCOPE = {
    # The first generation, as Simli's own documentation of spring 2025 has it.
    "createE2ESessionToken": "POST /createE2ESessionToken",
    "startE2ESession": "POST /startE2ESession",
    "session-path": "GET /session/{agent_id}/{session_token}",
    "session-header": "GET /session/{agent_id}",
    "getE2ETranscript": "GET /getE2ETranscript/{sessionId}",
    "generateFaceID": "POST /generateFaceID",
    "getRequestStatus": "POST /getRequestStatus",
    "agent-create": "POST /agent",
    "agent-update": "PUT /agent/{id}",
    "agent-delete": "DELETE /agent/{id}",
    "agent-read": "GET /agent/{id}",
    "agent-list": "GET /agents",
    "startWebRTCSession": "POST /startWebRTCSession",
    "startAudioToVideoSession": "POST /startAudioToVideoSession",
    "getIceServers": "POST /getIceServers",
    "textToVideoStream": "POST /textToVideoStream",
    "audioToVideoStream": "POST /audioToVideoStream",
    "getFaceIDs": "GET /getFaceIDs",
    # Today's.
    "compose-token": "POST /compose/token",
    "compose-ice": "GET /compose/ice",
    "static-audio": "POST /static/audio",
    "static-files": "GET /static/mp4/{destination}/{file}, GET /static/hls/{destination}/{file}",
    "faces": "GET /faces",
    "faces-trinity": "POST /faces/trinity",
    "faces-trinity-preprocess": "POST /faces/trinity/preprocess",
    "faces-trinity-status": "GET /faces/trinity/generation_status",
    "faces-trinity-delete": "DELETE /faces/trinity/{id}",
    "faces-legacy": "POST /faces/legacy",
    "faces-legacy-status": "GET /faces/legacy/generation_status",
    "faces-legacy-delete": "DELETE /faces/legacy/{id}",
    "history": "GET /history/sessions",
    "ratelimiter": "GET /ratelimiter/sessions",
    "auto-token": "POST /auto/token",
    "auto-start": "POST /auto/start/configurable",
    "auto-start-path": "GET /auto/start/{agent_id}/{session_token}",
    "auto-start-header": "GET /auto/start/{agent_id}",
    "auto-transcript": "GET /auto/transcript/{session_id}",
    "auto-agent-create": "POST /auto/agent",
    "auto-agent-update": "PUT /auto/agent/{id}",
    "auto-agent-delete": "DELETE /auto/agent/{id}",
    "auto-agent-read": "GET /auto/agent/{id}",
    "auto-agent-list": "GET /auto/agents",
    "ping": "GET /ping",
}
"""By the name that a test's `row` mark gives."""
OUT_OF_SCOPE = {
    "WSS /startWebRTCSession, /compose/webrtc/p2p, /compose/webrtc/peer_to_peer": (
        "signalling: the published clients speak it in tests/published"
    ),
    "WSS /compose/webrtc/livekit, /StartWebRTCSessionLivekit, POST /integrations/livekit/agents": (
        "LiveKit: the gateway has no room of its own"
    ),
    "POST /assets/backgrounds, /assets/foregrounds": "pictures around a face: nothing of the gateway's",
    "/isSessionAvailable, /available-sessions, /health, WSS /LipsyncStream": "gone",
}
"""And why."""
