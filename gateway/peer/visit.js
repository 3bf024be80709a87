// Put into every page of a visit before its own scripts: what comes over its WebRTC connections is counted and recorded.
(() => {
  if (window.visit) return;
  const connections = [];
  const records = [];

  const record = (track) => {
    const recorder = new MediaRecorder(new MediaStream([track]), { mimeType: "audio/webm;codecs=opus" });
    const kept = { recorder, pieces: [], bytes: 0 };
    recorder.ondataavailable = ({ data }) => { kept.pieces.push(data); kept.bytes += data.size; };
    recorder.start(500);
    records.push(kept);
  };

  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...given) {
      super(...given);
      connections.push(this);
      this.addEventListener("track", ({ track }) => { if (track.kind === "audio") record(track); });
    }
  };

  window.visit = {
    // Since the beginning, over all connections: bytes of sound, pictures, and how loud it was, summed up (0 to 1 a second).
    async came() {
      const found = { sound: 0, pictures: 0, energy: 0 };
      for (const connection of connections) {
        for (const one of (await connection.getStats()).values()) {
          if (one.type !== "inbound-rtp") continue;
          if (one.kind === "audio") { found.sound += one.bytesReceived; found.energy += one.totalAudioEnergy ?? 0; }
          if (one.kind === "video") found.pictures += one.framesDecoded ?? 0;
        }
      }
      return found;
    },
    // The longest recording, as Base64 of a WebM; empty where there is none.
    async heard() {
      const longest = records.sort((one, other) => other.bytes - one.bytes)[0];
      if (!longest) return "";
      if (longest.recorder.state !== "inactive") {
        await new Promise((done) => { longest.recorder.onstop = done; longest.recorder.stop(); });
      }
      const reader = new FileReader();
      await new Promise((done) => { reader.onload = done; reader.readAsDataURL(new Blob(longest.pieces)); });
      return reader.result.split(",")[1] ?? "";
    },
  };
})();
