// The words of both sides, turn by turn, as they come: a list that is only changed where something is new.
import { element } from "/sandbox/element.js";
import { hushed, duration, table, waited } from "/sandbox/waterfall.js";

const BOTTOM = 60; // pixels from the end within which somebody reads the newest
const KEPT = 20; // lines that a screen reader's log keeps

const spoken = (who, text, kind) => {
  const line = element("p", undefined, kind);
  line.append(element("span", `${who}: `, "unseen"), text);
  return line;
};

export class Lines {
  // `waterfalls`: each turn has its own. `told`: an element for screen readers, which gets a line once it is whole.
  constructor(list, { waterfalls = false, told = null } = {}) {
    this.list = list;
    this.waterfalls = waterfalls;
    this.told = told;
    this.turns = new Map();
    this.drawn = new Map();
    this.announced = new Set();
    this.below = true; // who reads the newest goes on reading the newest
    this.last = 0; // where it was scrolled to by itself: only somebody who scrolls up from there reads something else
    this.scrolled = () => {
      const near = list.scrollHeight - list.scrollTop - list.clientHeight < BOTTOM;
      if (near || list.scrollTop < this.last - 1) this.below = near;
    };
    list.replaceChildren();
    list.addEventListener("scroll", this.scrolled);
    this.resized = new ResizeObserver(() => this.#follow());
    this.resized.observe(list);
  }

  close() {
    this.list.removeEventListener("scroll", this.scrolled);
    this.resized.disconnect();
  }

  #follow() {
    if (!this.below) return;
    this.list.scrollTop = this.list.scrollHeight;
    this.last = this.list.scrollTop;
  }

  show(turns) {
    for (const [number, turn] of turns.entries()) this.turn({ number, ...turn });
  }

  turn(turn) {
    const text = JSON.stringify(turn);
    const known = this.drawn.get(turn.number);
    if (known?.text === text) return;
    const item = known?.item ?? element("li", undefined, "turn");
    const last = Math.max(turn.number, ...this.turns.keys());
    const open = item.querySelector("details")?.open ?? turn.number === last;
    const focused = item.contains(document.activeElement);
    item.replaceChildren(...this.#parts(turn, open));
    if (focused) item.querySelector("summary")?.focus();
    if (!known) this.#put(item, turn.number);
    this.turns.set(turn.number, turn);
    this.drawn.set(turn.number, { text, item });
    this.#announce(turn);
    this.#follow();
  }

  #put(item, number) {
    item.dataset.number = number;
    const next = [...this.list.children].find((one) => Number(one.dataset.number) > number);
    this.list.insertBefore(item, next ?? null);
    if (next) return;
    for (const one of this.list.querySelectorAll("details[open]")) if (!item.contains(one)) one.open = false;
  }

  #parts(turn, open) {
    const parts = [];
    if (turn.asked) parts.push(spoken("You", turn.asked, turn.by === "spoken" ? "user voiced" : "user"));
    if (turn.said) parts.push(this.#said(turn));
    if (turn.error) parts.push(spoken("Silent", turn.error, "error"));
    const facts = this.waterfalls ? this.#waterfall(turn, open) : this.#note(turn);
    return facts ? [...parts, facts] : parts;
  }

  #said(turn) {
    const cut = turn.interrupted && turn.spoken && turn.said.startsWith(turn.heard ?? "") && turn.heard !== turn.said.trim();
    const line = spoken("The avatar", cut ? turn.heard : turn.said, "assistant");
    if (cut) line.append(element("s", turn.said.slice(turn.heard.length)));
    return line;
  }

  #note(turn) {
    const notes = [];
    if (turn.asked && turn.first_ms !== null) notes.push(`first words after ${Math.round(turn.first_ms)} ms`);
    if (turn.interrupted) notes.push(`broken off; heard: “${turn.heard}”`);
    return notes.length ? element("small", notes.join("; "), "note") : null;
  }

  #waterfall(turn, open) {
    const found = waited(turn);
    const silent = hushed(turn);
    if (!found?.steps.length && silent === null && !turn.interrupted) return null;
    const box = element("details", undefined, "facts");
    box.open = open;
    const summary = element("summary");
    if (found && found.total !== null) summary.append("You waited ", element("b", duration(found.total)));
    else summary.append(turn.error || turn.spoken ? "Nothing was heard" : "You are waiting");
    if (turn.interrupted) summary.append(silent === null ? " · broken off" : ` · silent ${duration(silent)} after you broke in`);
    box.append(summary);
    if (found?.steps.length) box.append(table(found));
    const { target, sources = [] } = turn.told ?? {};
    const from = [...(target ? [`answered by ${target}`] : []), ...(sources.length ? [`from ${sources.join(", ")}`] : [])];
    if (from.length) box.append(element("p", from.join(" "), "from"));
    return box;
  }

  #announce(turn) {
    if (!this.told) return;
    const say = (what, text) => {
      if (!text || this.announced.has(what)) return;
      this.announced.add(what);
      this.told.append(element("p", text));
      while (this.told.children.length > KEPT) this.told.firstChild.remove();
    };
    if (turn.by === "spoken") say(`${turn.number} asked`, turn.asked && `You said: ${turn.asked}`);
    if (turn.error) say(`${turn.number} error`, `The avatar is silent: ${turn.error}`);
    if (turn.spoken) say(`${turn.number} said`, turn.said && `The avatar said: ${turn.heard || turn.said}`);
  }
}
