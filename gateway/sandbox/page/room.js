import { Feed } from "/sandbox/feed.js";
import { Lines } from "/sandbox/lines.js";
import { Microphone, NoMicrophone } from "/sandbox/microphone.js";
import { Player } from "/sandbox/player.js";
import { duration, waited } from "/sandbox/waterfall.js";

const find = (id) => document.getElementById(id);
const room = location.pathname.split("/")[2];
const MEASURED = 50; // ms between two looks at the microphone
const RETRY = [500, 1000, 2000, 4000, 8000]; // ms until the next attempt to connect
const ASKED = 700; // ms after which the browser is taken to be asking the person
const LATE = 1500; // ms after which it is said that the sandbox is away
const ENDED = {
  left: "You left.", IDLE: "Nobody had said anything for a while.", MAX: "It had reached its longest.", closed: "It was closed.",
};
const NOW = {
  connecting: "Connecting", reconnecting: "Reconnecting", listening: "Listening", hears: "Hears you", thinking: "Thinking",
  speaking: "Speaking", muted: "You are muted", typed: "Waits for you to type", ended: "Over",
};

let told = { state: "waiting", reason: "", hearing: false, ears: "" };
let microphone = null;
let connected = false;
let over = false;
let attempts = 0;
let away = null;
let standing = { text: "" }; // what is to be read when nothing more urgent is
const turns = new Map();
const lines = new Lines(find("lines"), { waterfalls: true, told: find("log") });
const player = new Player(room, { video: find("video"), curtain: find("curtain") }, {
  connected() { connected = true; attempts = 0; show(); },
  lost(why) { again(why); },
  blocked(blocked) { find("sound").hidden = !blocked; },
});
const feed = new Feed(room, {
  state(state) { told = { ...told, ...state }; if (told.state === "ended") end(); show(); },
  turn(turn) { turns.set(turn.number, turn); lines.turn(turn); show(); },
  away(gone) { wait(gone); },
  none() { over = true; player.unwatch(); curtain("There is no such room."); show(); },
});

function now() {
  if (over) return "ended";
  if (!connected) return attempts ? "reconnecting" : "connecting";
  if (microphone && told.hearing) return "hears";
  if (told.state === "thinking" || told.state === "speaking") return told.state;
  if (!microphone || told.ears) return "typed";
  return microphone.muted ? "muted" : "listening";
}

function show() {
  const state = now();
  find("screen").dataset.state = state;
  find("now").textContent = NOW[state];
  if (state !== "hears" && find("status").textContent !== NOW[state]) find("status").textContent = NOW[state];
  find("mute").hidden = over || !microphone;
  find("level").hidden = over || !microphone;
  for (const one of ["leave", "say"]) find(one).hidden = over;
  const quiet = turns.size === 0 && !over;
  find("hint").hidden = !quiet;
  if (quiet && connected) {
    find("hint-text").textContent = microphone && !told.ears ? "Say something. You may interrupt at any time." : "Type something.";
  }
}

function curtain(text) {
  find("curtain").textContent = text;
  find("curtain").hidden = false;
}

function notice(text, { retry = false, calm = false, passing = false } = {}) {
  if (!passing) standing = { text, retry, calm };
  find("why").textContent = text;
  find("notice").classList.toggle("calm", calm);
  find("again").hidden = !retry;
  find("notice").hidden = !text;
}

function wait(gone) {
  if (gone && !away) {
    away = setTimeout(() => { if (!over) notice("The sandbox does not answer. Trying again…", { passing: true }); }, LATE);
  } else if (!gone && away) {
    clearTimeout(away);
    away = null;
    notice(standing.text, standing);
  }
}

async function come() {
  try {
    await player.watch(microphone);
  } catch (error) {
    if ([404, 410].includes(error.status)) { await feed.look(); return; } // that says which
    again(error.message);
  }
}

function again(why) {
  if (over) return;
  connected = false;
  const pause = RETRY[Math.min(attempts, RETRY.length - 1)];
  attempts += 1;
  curtain(`${why} Trying again…`);
  show();
  setTimeout(() => { if (!over) come(); }, pause);
}

function end() {
  if (over) return;
  over = true;
  feed.close();
  player.unwatch();
  microphone?.close();
  microphone = null;
  notice("");
  find("sound").hidden = true;
  curtain(`The session is over. ${ENDED[told.reason] ?? told.reason}`);
  find("status").textContent = find("curtain").textContent;
  const waits = [...turns.values()].map((turn) => waited(turn)?.total).filter((one) => one > 0).sort((a, b) => a - b);
  if (waits.length) notice(`${turns.size} turns; as a rule you waited ${duration(waits[Math.floor(waits.length / 2)])} for an answer.`, { calm: true });
  show();
}

function measure() {
  if (microphone) find("level").firstElementChild.style.transform = `scaleX(${microphone.level.toFixed(3)})`;
}

// The microphone, if the person and the browser agree to it; who does not answer the browser's question can type.
async function listen() {
  const asked = Microphone.opened((why) => {
    microphone?.close();
    microphone = null;
    notice(`${why} You can type instead.`, { retry: true });
    show();
  });
  const slow = setTimeout(() => {
    curtain("Your browser asks whether this page may hear you.");
    find("without").hidden = false;
  }, ASKED);
  const without = new Promise((_, refused) => {
    find("without").onclick = () => refused(new NoMicrophone("The microphone is off."));
  });
  try {
    microphone = await Promise.race([asked, without]);
    find("mute").setAttribute("aria-pressed", "false");
    notice("");
  } catch (error) {
    asked.then((late) => late.close(), () => {});
    notice(`${error.message} You can type instead.`, { retry: window.isSecureContext });
  }
  clearTimeout(slow);
  find("without").hidden = true;
  find("curtain").hidden = connected;
}

find("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (!text) return;
  find("text").value = "";
  try {
    await player.say(text);
  } catch (error) {
    if (!find("text").value) find("text").value = text;
    notice(error.message);
  }
});
find("leave").addEventListener("click", async () => {
  over = true; // what is lost from here on is no fault
  const answer = await player.leave().catch(() => null);
  over = false;
  if (answer?.ok) {
    told = { ...told, state: "ended", reason: "left" };
    end();
  } else {
    notice("The sandbox does not answer: the session may go on.");
    again("You have not left yet.");
  }
});
find("mute").addEventListener("click", () => {
  microphone.muted = !microphone.muted;
  find("mute").setAttribute("aria-pressed", String(microphone.muted));
  show();
});
find("sound").addEventListener("click", () => player.loud());
find("again").addEventListener("click", async () => {
  await listen();
  if (!microphone || over) return;
  connected = false;
  await come();
});

setInterval(measure, MEASURED);
show();
const first = await feed.look();
if (!over) {
  feed.open();
  if (first?.ears) notice(`The avatar cannot hear: ${first.ears} You can type instead.`);
  else await listen();
  if (!over) await come();
}
