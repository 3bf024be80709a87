// simli-client 1.0.5: the seed's REST form. The offer is posted; the token, PCM, pings and the server's words go over the
// data channel, which it names "chat" (the seed's sample: "datachannel"). Its host cannot be set: the browser is made to
// take the sandbox for it (browser.py). It has no call for SKIP and no event for a word: both go over its own channel.
import { SimliClient } from "simli-client-rest";
import { audio, conversation, ended, pause, until, video } from "./observed.js";

const connected = (key, face) => {
  const words = [];
  const client = new SimliClient();
  return {
    words,
    start: async () => {
      client.Initialize({
        apiKey: key,
        faceID: face,
        handleSilence: true,
        videoRef: { current: video },
        audioRef: { current: audio },
      });
      const failed = new Promise((_, reject) => client.on("failed", () => reject(new Error("it emitted `failed`"))));
      await Promise.race([client.start(), failed]);
      client.dc.addEventListener("message", (event) => words.push(event.data));
      await Promise.race([until("START", 10000, () => words.includes("START")), failed]);
    },
    send: (bytes) => client.sendAudioData(bytes),
    skip: () => client.dc.send("SKIP"),
    close: async () => {
      if (!words.some((word) => word.startsWith("pong"))) throw new Error("no pong came");
      client.close(); // closes the channel: it never says DONE
      await pause(600); // it closes the connection after half a second
    },
  };
};

window.conversation = (_, key, face) => conversation(connected(key, face));
window.ended = (_, key, face) => ended(connected(key, face));
