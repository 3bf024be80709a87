// One room: watch and hear the avatar, speak to it, type. Used by the sandbox's page and by the room's own.
import { Lines } from "/sandbox/lines.js";

const LOOKS = 1000; // ms between two looks whether anything still comes
const CONNECTS = 12; // looks within which a connection comes about
const SILENT = 3; // looks without a byte after which a connection is taken for lost: browsers need ten seconds

const posted = (url, body, headers = {}) => fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const taken = async (answer) => {
  if (answer.ok) return answer;
  const { detail } = await answer.json().catch(() => ({}));
  throw new Refused(typeof detail === "string" ? detail : `The sandbox answered ${answer.status}.`, answer.status);
};

export class Player {
  // `parts`: the elements video and curtain, and lines or nothing. `on`, all optional: `connected()`; `lost(why)`;
  // `blocked(bool)`, whether the browser keeps the sound back until somebody clicks.
  constructor(room, parts, on = {}) {
    this.room = room;
    this.parts = parts;
    this.on = on;
    this.connection = null;
    this.lines = parts.lines ? new Lines(parts.lines) : null;
  }

  // Come in, with a microphone or without. What keeps one out stands on the curtain, and is thrown.
  async watch(microphone = null) {
    this.unwatch();
    const { video, curtain } = this.parts;
    curtain.textContent = "Connecting…";
    const connection = new RTCPeerConnection();
    this.connection = connection;
    const stream = new MediaStream();
    video.srcObject = stream;
    if (microphone) connection.addTransceiver(microphone.track, { direction: "sendrecv", streams: [microphone.stream] });
    else connection.addTransceiver("audio", { direction: "recvonly" });
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.ontrack = ({ track, receiver: { transport } }) => {
      stream.addTrack(track);
      if (transport) transport.onstatechange = () => { if (transport.state === "closed") this.#gone(connection); };
    };
    connection.onconnectionstatechange = () => {
      const state = connection.connectionState;
      if (["failed", "closed"].includes(state)) this.#gone(connection);
      if (state !== "connected" || this.connection !== connection) return;
      curtain.textContent = "There is no picture yet.";
      this.on.connected?.();
    };
    this.#attend(connection);
    video.requestVideoFrameCallback?.(() => {
      if (this.connection === connection) curtain.hidden = true;
    });
    try {
      await connection.setLocalDescription(await connection.createOffer());
      const { sdp, type } = connection.localDescription;
      const answer = await taken(await posted(`/room/${this.room}/offer`, { sdp, type }));
      await connection.setRemoteDescription(await answer.json());
      await this.#played();
    } catch (error) {
      if (this.connection !== connection) return;
      this.unwatch();
      curtain.textContent = error.message;
      throw error;
    }
  }

  async #played() {
    const { video } = this.parts;
    video.muted = false;
    try {
      await video.play();
      this.on.blocked?.(false);
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // it was taken away meanwhile
      video.muted = true;
      this.on.blocked?.(true);
      await video.play().catch(() => {});
    }
  }

  // Let it be heard, after a click.
  async loud() {
    await this.#played();
  }

  // The other end said that it goes, or nothing of it comes any more, or nothing ever came.
  #gone(connection, why = "The connection was lost.") {
    if (this.connection !== connection) return;
    this.unwatch();
    this.on.lost?.(why);
  }

  async #attend(connection) {
    let [came, silent] = [0, 0];
    for (let looks = 1; silent < SILENT; looks += 1) {
      await new Promise((done) => { setTimeout(done, LOOKS); });
      if (this.connection !== connection) return;
      const stats = [...(await connection.getStats()).values()].filter((one) => one.type === "inbound-rtp");
      const now = stats.reduce((sum, one) => sum + one.bytesReceived, 0);
      silent = now > came || now === 0 ? 0 : silent + 1;
      came = now;
      if (connection.connectionState === "connected" || looks < CONNECTS) continue;
      this.#gone(connection, "No packet gets through: a firewall may be in the way.");
      return;
    }
    this.#gone(connection);
  }

  unwatch() {
    const { video, curtain } = this.parts;
    this.connection?.close();
    this.connection = null;
    video.srcObject = null;
    curtain.textContent = "Nobody watches.";
    curtain.hidden = false;
  }

  async say(text) {
    const answer = await taken(await posted(`/room/${this.room}/say`, { text }, { accept: "text/event-stream" }));
    await answer.body.cancel(); // what is said is shown as the room's state
  }

  leave() {
    this.unwatch();
    return fetch(`/room/${this.room}/leave`, { method: "POST", keepalive: true });
  }

  // Another room is looked at with the same elements.
  close() {
    this.unwatch();
    this.lines?.close();
  }

  show(turns) {
    this.lines?.show(turns);
  }
}
