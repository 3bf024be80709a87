// simli-client 3.0.1, today's dialect. start() resolves when a frame was rendered.
import { LogLevel, SimliClient, generateIceServers, generateSimliSessionToken } from "simli-client-3";
import { audio, conversation, ended, pause, video } from "./observed.js";

const connected = (url, key, face, seconds) => {
  const words = [];
  let client;
  return {
    words,
    start: async () => {
      const config = { faceId: face, handleSilence: true, maxSessionLength: seconds, maxIdleTime: 60 };
      const [token, ice] = await Promise.all([
        generateSimliSessionToken({ apiKey: key, config }, url),
        generateIceServers(key, url),
      ]);
      const socket = url.replace("http", "ws");
      client = new SimliClient(token.session_token, video, audio, ice, LogLevel.ERROR, "p2p", "websockets", socket);
      client.on("speaking", () => words.push("SPEAK"));
      client.on("silent", () => words.push("SILENT"));
      client.on("stop", () => words.push("STOP"));
      client.on("error", (reason) => words.push(`ERROR ${reason}`));
      await client.start();
    },
    send: (bytes) => client.sendAudioData(bytes),
    immediate: (bytes) => client.sendAudioDataImmediate(bytes),
    skip: () => client.ClearBuffer(),
    close: async () => {
      await client.stop(); // says DONE
      await pause(50);
    },
  };
};

window.conversation = (url, key, face) => conversation(connected(url, key, face, 60));
window.ended = (url, key, face) => ended(connected(url, key, face, 1));
