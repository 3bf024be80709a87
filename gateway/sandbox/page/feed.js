// What happens in a room: server-sent events; where a server has none, its state is looked at twice a second.

const INTERVAL = 500;

export class Feed {
  // `on` has `state({state, reason, hearing, ears})`, `turn(turn)`, `away(bool)` and `none()`: there is no such room.
  constructor(room, on) {
    this.room = room;
    this.on = on;
    this.over = false;
    this.source = null;
    this.timer = null;
  }

  async look() {
    const answer = await fetch(`/room/${this.room}/state.json`).catch(() => null);
    if (this.over) return null;
    if (!answer || answer.status >= 500) {
      this.on.away(true);
      return null;
    }
    if (!answer.ok) {
      this.close();
      this.on.none();
      return null;
    }
    const { turns, ...state } = await answer.json();
    this.on.away(false);
    for (const [number, turn] of turns.entries()) this.on.turn({ number, ...turn });
    this.#state(state);
    return state;
  }

  open() {
    if (this.over) return;
    this.source = new EventSource(`/room/${this.room}/events`);
    this.source.onopen = () => this.on.away(false);
    this.source.addEventListener("state", (event) => this.#state(JSON.parse(event.data)));
    this.source.addEventListener("turn", (event) => this.on.turn(JSON.parse(event.data)));
    this.source.onerror = () => {
      if (this.over) return;
      if (this.source.readyState !== EventSource.CLOSED) { // the browser tries again by itself
        this.on.away(true);
        return;
      }
      this.source.close();
      this.#poll();
    };
  }

  close() {
    this.over = true;
    this.source?.close();
    clearTimeout(this.timer);
  }

  #state(state) {
    if (state.state === "ended") this.close();
    this.on.state(state);
  }

  async #poll() {
    await this.look();
    if (!this.over) this.timer = setTimeout(() => this.#poll(), INTERVAL);
  }
}
