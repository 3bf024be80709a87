// What the guide of Simli's own documentation of 2025 does ("WebRTC", its sample), in its order: camera and microphone are
// sent, a data channel named "datachannel" is opened, candidates are polled for until two looks agree, the offer goes over
// the WebSocket, and the token is asked for only when the data channel is open. Its host is replaced; its logging left out.
import { audio, conversation, ended, pause, until, video } from "./observed.js";

const connected = (url, key, face, seconds) => {
  const words = [];
  let candidateCount = 0;
  let prevCandidateCount = -1;
  let pc, dc, dcInterval, wsConnection;

  const createPeerConnection = () => {
    pc = new RTCPeerConnection({ iceServers: [{ urls: ["stun:stun.l.google.com:19302"] }] });
    pc.addEventListener("track", (evt) => {
      if (evt.track.kind == "video") video.srcObject = evt.streams[0];
      else audio.srcObject = evt.streams[0];
    });
    pc.onicecandidate = (event) => {
      if (event.candidate !== null) candidateCount += 1;
    };
  };

  const connectToRemotePeer = async () => {
    const offer = pc.localDescription;
    let answer = null;
    wsConnection = new WebSocket(`${url.replace("http", "ws")}/startWebRTCSession`);
    wsConnection.addEventListener("open", () => {
      wsConnection.send(JSON.stringify({ sdp: offer.sdp, type: offer.type }));
    });
    wsConnection.addEventListener("message", (evt) => {
      words.push(evt.data);
      if (evt.data === "START") {
        setTimeout(() => wsConnection.send(new Uint8Array(64000)), 100);
      } else if (evt.data === "STOP") {
        stop();
      } else if (evt.data.slice(0, 4) !== "pong") {
        try {
          const message = JSON.parse(evt.data);
          if (message.type === "answer") answer = message;
        } catch {
          // ACK, SPEAK, SILENT: the sample logs what it cannot parse
        }
      }
    });
    while (answer === null) await pause(10);
    await pc.setRemoteDescription(answer);
  };

  const checkIceCandidates = () => {
    if (pc.iceGatheringState === "complete" || candidateCount === prevCandidateCount) {
      connectToRemotePeer();
    } else {
      prevCandidateCount = candidateCount;
      setTimeout(checkIceCandidates, 250);
    }
  };

  const negotiate = async () => {
    await pc.setLocalDescription(await pc.createOffer());
    prevCandidateCount = candidateCount;
    setTimeout(checkIceCandidates, 250);
  };

  const opened = async () => {
    const metadata = { faceId: face, isJPG: false, apiKey: key, syncAudio: true, maxSessionLength: seconds };
    const response = await fetch(`${url}/startAudioToVideoSession`, {
      method: "POST",
      body: JSON.stringify(metadata),
      headers: { "Content-Type": "application/json" },
    });
    wsConnection.send((await response.json()).session_token);
    dcInterval = setInterval(() => wsConnection.send("ping 0"), 1000);
    wsConnection.send(new Uint8Array(16000));
  };

  const stop = () => {
    clearInterval(dcInterval);
    dc.close();
    pc.getTransceivers().forEach((transceiver) => transceiver.stop());
    pc.getSenders().forEach((sender) => sender.track?.stop());
    setTimeout(() => pc.close(), 500);
  };

  return {
    words,
    start: async () => {
      createPeerConnection();
      dc = pc.createDataChannel("datachannel", { ordered: true });
      dc.addEventListener("open", opened);
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
      stream.getTracks().forEach((track) => pc.addTrack(track, stream));
      await negotiate();
      await until("START", 10000, () => words.includes("START"));
      await pause(150);
      wsConnection.send("SKIP"); // not the sample's: its silence of two seconds would be played before the tone
    },
    send: (bytes) => wsConnection.send(bytes),
    skip: () => wsConnection.send("SKIP"),
    close: async () => {
      wsConnection.send("DONE");
      stop();
      await pause(600);
    },
  };
};

window.conversation = (url, key, face) => conversation(connected(url, key, face, 60));
window.ended = (url, key, face) => ended(connected(url, key, face, 1));
