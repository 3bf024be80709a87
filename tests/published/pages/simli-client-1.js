// simli-client 1.2.20, the seed's dialect with a WebSocket. Its SimliURL is what follows "http" and "ws".
import { SimliClient } from "simli-client-1";
import { audio, conversation, ended, pause, video } from "./observed.js";

const connected = (url, key, face, seconds) => {
  const words = [];
  const client = new SimliClient();
  return {
    words,
    start: async () => {
      client.Initialize({
        apiKey: key,
        faceID: face,
        handleSilence: true,
        maxSessionLength: seconds,
        maxIdleTime: 60,
        model: "fasttalk",
        session_token: "",
        videoRef: video,
        audioRef: audio,
        SimliURL: url.replace("http", ""),
        maxRetryAttempts: 1,
      });
      client.on("speaking", () => words.push("SPEAK"));
      client.on("silent", () => words.push("SILENT"));
      client.on("failed", (reason) => words.push(`ERROR ${reason}`));
      await client.start();
      // For STOP it has no event of its own: it says DONE, closes, and emits `disconnected`, as it does for a lost socket.
      client.webSocket.addEventListener("message", ({ data }) => data === "STOP" && words.push("STOP"));
    },
    send: (bytes) => client.sendAudioData(bytes),
    immediate: (bytes) => client.sendAudioDataImmediate(bytes),
    skip: () => client.ClearBuffer(),
    close: async () => {
      client.close(); // says DONE
      await pause(50);
    },
  };
};

window.conversation = (url, key, face) => conversation(connected(url, key, face, 60));
window.ended = (url, key, face) => ended(connected(url, key, face, 1));
