// One room: watch the avatar, type turns, read what was said. Used by the sandbox's page and by the room's own.

const made = (name, text, kind) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
};

export class Player {
  constructor(room, parts) {
    this.room = room;
    this.parts = parts;
    this.connection = null;
    this.drawn = "";
  }

  async watch() {
    this.unwatch();
    const { video, curtain } = this.parts;
    curtain.textContent = "Connecting…";
    curtain.hidden = false;
    const connection = new RTCPeerConnection();
    this.connection = connection;
    const stream = new MediaStream();
    video.srcObject = stream;
    connection.addTransceiver("audio", { direction: "recvonly" });
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.ontrack = (event) => stream.addTrack(event.track);
    connection.onconnectionstatechange = () => {
      if (["failed", "closed", "disconnected"].includes(connection.connectionState)) this.unwatch();
    };
    video.requestVideoFrameCallback?.(() => { curtain.hidden = true; });
    try {
      await connection.setLocalDescription(await connection.createOffer());
      const { sdp, type } = connection.localDescription;
      const answer = await fetch(`/room/${this.room}/offer`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ sdp, type }),
      });
      if (!answer.ok) throw new Error((await answer.json()).detail);
      await connection.setRemoteDescription(await answer.json());
      await video.play().catch(() => { video.muted = true; return video.play(); });
    } catch (error) {
      this.unwatch();
      curtain.textContent = error.message;
    }
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
    const answer = await fetch(`/room/${this.room}/say`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify({ text }),
    });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    await answer.body.cancel(); // what is said is shown as the room's state
  }

  leave() {
    this.unwatch();
    return fetch(`/room/${this.room}/leave`, { method: "POST", keepalive: true });
  }

  show(turns) {
    const { lines } = this.parts;
    const now = JSON.stringify(turns);
    if (now === this.drawn) return;
    this.drawn = now;
    const below = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.replaceChildren(...turns.flatMap((turn) => this.#turn(turn)));
    if (below) lines.scrollTop = lines.scrollHeight;
  }

  #turn(turn) {
    const drawn = [];
    if (turn.asked) drawn.push(made("li", turn.asked, "user"));
    if (turn.said) {
      const line = made("li", turn.said, "assistant");
      const notes = [];
      if (turn.asked && turn.first_ms !== null) notes.push(`first words after ${Math.round(turn.first_ms)} ms`);
      if (turn.interrupted) notes.push(`broken off; heard: “${turn.heard}”`);
      if (notes.length) line.append(made("small", notes.join("; ")));
      drawn.push(line);
    }
    if (turn.error) drawn.push(made("li", `Silent: ${turn.error}`, "error"));
    return drawn;
  }
}

export const element = made;
