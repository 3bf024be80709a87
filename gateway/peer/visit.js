// Put into every page of a visit before its own scripts: what comes over its WebRTC connections is measured and recorded.
// Times are milliseconds from the page's beginning.
(() => {
  if (window.visit) return;
  const connections = [];
  const records = [];
  const seen = { connected: null, first: null, pictures: 0, moved: 0, freezes: 0, longest: 0 };
  const SIDE = 64; // points of a line, and lines, in which a picture is compared with the one before
  const MOVED = 0.25; // mean difference of their grey values that is more than a codec's noise
  const FREEZE = 200; // ms from one picture to the next

  const record = (track) => {
    const recorder = new MediaRecorder(new MediaStream([track]), { mimeType: "audio/webm;codecs=opus" });
    const kept = { recorder, pieces: [], bytes: 0 };
    recorder.ondataavailable = ({ data }) => { kept.pieces.push(data); kept.bytes += data.size; };
    recorder.start(500);
    records.push(kept);
  };

  const look = (track) => {
    const video = document.createElement("video");
    const canvas = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
    canvas.imageSmoothingEnabled = false; // points, not means: a mouth is small
    let before = null;
    let last = null;
    const take = (now) => {
      seen.first ??= now;
      seen.pictures += 1;
      if (last !== null) {
        seen.longest = Math.max(seen.longest, now - last);
        if (now - last > FREEZE) seen.freezes += 1;
      }
      last = now;
      canvas.drawImage(video, 0, 0, SIDE, SIDE);
      const pixels = canvas.getImageData(0, 0, SIDE, SIDE).data;
      if (before) {
        let apart = 0;
        for (let at = 1; at < pixels.length; at += 4) apart += Math.abs(pixels[at] - before[at]); // green is nearly grey
        if (apart / (SIDE * SIDE) > MOVED) seen.moved += 1;
      }
      before = pixels;
      if (track.readyState === "live") video.requestVideoFrameCallback(take);
    };
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    video.requestVideoFrameCallback(take);
    video.play().catch(() => {});
  };

  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...given) {
      super(...given);
      connections.push(this);
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") seen.connected ??= performance.now();
      });
      this.addEventListener("track", ({ track }) => { (track.kind === "audio" ? record : look)(track); });
    }
  };

  window.visit = {
    // Over all connections: what was seen, bytes of sound, its energy (of full scale 1, times seconds), delays in ms.
    async came() {
      const found = { ...seen, now: performance.now(), sound: 0, energy: 0, jitter: {}, roundTrip: null };
      for (const connection of connections) {
        for (const one of (await connection.getStats()).values()) {
          if (one.type === "candidate-pair" && one.nominated) found.roundTrip = 1000 * (one.currentRoundTripTime ?? 0);
          if (one.type !== "inbound-rtp") continue;
          found.jitter[one.kind] = 1000 * (one.jitter ?? 0);
          if (one.kind !== "audio") continue;
          found.sound += one.bytesReceived;
          found.energy += one.totalAudioEnergy ?? 0;
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
