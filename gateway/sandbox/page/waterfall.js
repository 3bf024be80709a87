// What a turn's moments say: how long somebody waited, and for what. Moments are seconds since the epoch.
import { element } from "/sandbox/element.js";

const STEPS = [
  ["recognised", "Your words understood"],
  ["requested", "Model asked"],
  ["retrieved", "Knowledge found"],
  ["first_token", "Its first word"],
  ["first_clause", "Its first clause"],
  ["first_sound", "First sound"],
  ["first_mouth", "Mouth moves"],
];

// From when the person had finished to each step that was seen, in milliseconds; null where nothing can be said yet.
export function waited(turn) {
  const moments = turn.moments ?? {};
  const begin = moments.asked_end ?? moments.asked;
  if (turn.by === "greeting" || begin === undefined) return null;
  let before = 0;
  const steps = [];
  for (const [name, label] of STEPS) {
    if (moments[name] === undefined) continue;
    const at = 1000 * (moments[name] - begin);
    steps.push({ name, label, from: Math.min(before, at), to: at, ms: at - before });
    before = at;
  }
  const heard = moments.first_sound ?? moments.first_mouth;
  return { steps, total: heard === undefined ? null : 1000 * (heard - begin) };
}

// Milliseconds from the person's voice to the avatar's silence; null where nobody broke in.
export function hushed(turn) {
  const { interrupted, hushed: silent } = turn.moments ?? {};
  return interrupted === undefined || silent === undefined ? null : 1000 * (silent - interrupted);
}

export const duration = (ms) => (Math.abs(ms) < 9999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`).replace("-", "−");

// A table with a bar in each row.
export function table({ steps }) {
  const end = Math.max(1, ...steps.map((one) => one.to));
  const drawn = element("table", undefined, "waterfall");
  drawn.append(element("caption", "From your last word on", "unseen"));
  const head = element("tr");
  for (const word of ["step", "when", "took"]) {
    const cell = element("th", word, "unseen");
    cell.scope = "col";
    head.append(cell);
  }
  drawn.append(head);
  for (const one of steps) {
    const row = element("tr");
    const label = element("th", one.label);
    label.scope = "row";
    const track = element("td", undefined, "track");
    const bar = element("i", undefined, one.name);
    bar.style.left = `${(100 * Math.max(0, one.from)) / end}%`;
    bar.style.width = `${(100 * Math.max(0, one.to - Math.max(0, one.from))) / end}%`;
    track.append(bar, element("span", `at ${duration(one.to)}`, "unseen"));
    row.append(label, track, element("td", duration(one.ms), "ms"));
    drawn.append(row);
  }
  return drawn;
}
