import { element } from "/sandbox/element.js";
import { Player } from "/sandbox/player.js";

const find = (id) => document.getElementById(id);
const INTERVAL = 700;
const SHOWN_CALLS = 120;
const SPOKEN_OF = {
  llm_key: "LLM key", llm: "LLM", suffix: "Path suffix", tts: "Voice provider", sound: "Sound", custom_llm: "customLLMConfig", greeting: "Greeting",
  serves: "Serves", refuses_key_with: "Wrong key is", sessions: "Sessions at once", single_use: "Token used once",
  transcript_after: "Transcript after, s", media: "Media", start: "START", ice: "ICE", drops_after: "Drops after, s",
  face_takes: "A face takes, s", face_result: "A face is", video_after: "Videos after, s",
};
const drawn = new Map();
let chosen = null;
let player = null;

const changed = (name, value) => {
  const text = JSON.stringify(value);
  if (drawn.get(name) === text) return false;
  drawn.set(name, text);
  return true;
};

const post = (path, body, method = "POST") => fetch(`/sandbox/${path}`, {
  method,
  headers: { "content-type": "application/json" },
  body: body === undefined ? undefined : JSON.stringify(body),
});

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });

function choose(session) {
  player?.close();
  chosen = session.id;
  player = session.room
    ? new Player(session.room, { video: find("video"), curtain: find("curtain"), lines: find("lines") })
    : null;
  drawn.delete("sessions");
  look();
}

function showSessions(sessions) {
  find("no-sessions").hidden = sessions.length > 0;
  if (!chosen) {
    const first = sessions.find((one) => one.room && one.state !== "ended");
    if (first) { choose(first); return; }
  }
  find("sessions").replaceChildren(...sessions.map((one) => {
    const item = element("li");
    const button = element("button");
    button.setAttribute("aria-pressed", String(one.id === chosen));
    button.append(
      element("span", one.state, `state ${one.state}`),
      element("span", { e2e: "Auto", agent: "Agent", compose: "Compose" }[one.kind]),
      element("code", one.id.slice(0, 8)),
    );
    if (one.llm) button.append(element("span", one.llm.source));
    button.append(element("small", `${clock(one.started)}, ${Math.round(one.seconds)} s${one.reason ? `, ${one.reason}` : ""}`, "end"));
    button.addEventListener("click", () => choose(one));
    item.append(button);
    return item;
  }));
}

function showRoom(session) {
  find("room").hidden = !session?.room;
  if (!session?.room || !player) return;
  player.show(session.turns);
  const over = session.state === "ended";
  for (const id of ["text", "watch", "leave"]) find(id).disabled = over;
  find("watch").textContent = player.connection ? "Stop watching" : "Watch";
  find("alone").href = `/room/${session.room}`;
  if (over && player.connection) player.unwatch();
  if (!changed("told", [session.id, session.state, session.llm, session.reason])) return;
  const { source, model, url, keyed, passed_over: passed } = session.llm;
  const told = find("told");
  told.replaceChildren(element("b", over ? `ended (${session.reason})` : session.state), " · LLM by ", element("b", source));
  told.append(` · model ${model}`, url ? ` at ${url}` : "", url ? (keyed ? ", with a key" : ", without a key") : "");
  if (passed.length) told.append(`; ${passed.join(", ")} passed over`);
}

function showAgents(agents) {
  find("agent-count").textContent = agents.length;
  find("agent-noun").textContent = agents.length === 1 ? "agent" : "agents";
  find("no-agents").hidden = agents.length > 0;
  const list = find("agents");
  if (list.contains(document.activeElement) && document.activeElement.closest("form")) { // somebody types: not now
    drawn.delete("agents");
    return;
  }
  const open = new Set([...list.querySelectorAll("details[open]")].map((one) => one.dataset.id));
  list.replaceChildren(...agents.map((one) => {
    const box = element("details");
    box.dataset.id = one.id;
    box.open = open.has(one.id);
    const summary = element("summary");
    const facts = [one.face_id, one.voice_provider, one.language, one.llm_endpoint || "Simli's own LLM"];
    summary.append(element("strong", one.name), " ", element("code", one.id), element("small", facts.filter(Boolean).join(" · "), "mono"));
    box.append(summary, agentForm(one));
    const item = element("li");
    item.append(box);
    return item;
  }));
}

const ASSIGNED = ["id", "owner_id", "created_at", "updated_at"];
const LONG = ["prompt", "first_message", "llm_endpoint"];

function agentForm(agent) {
  const form = element("form", undefined, "behaviour");
  for (const [name, value] of Object.entries(agent)) {
    if (ASSIGNED.includes(name)) continue;
    const label = element("label", name);
    const input = element(LONG.includes(name) ? "textarea" : "input");
    if (LONG.includes(name)) { label.className = "wide"; input.rows = 1; } else input.type = typeof value === "number" ? "number" : "text";
    if (String(value).includes("…")) input.placeholder = value; else input.value = value; // what is hidden is not known here
    input.addEventListener("change", async () => {
      const wanted = typeof value === "number" ? Number(input.value) : input.value;
      const answer = await post(`agents/${agent.id}`, { [name]: wanted }, "PUT");
      input.setCustomValidity(answer.ok ? "" : (await answer.json()).detail);
      if (input.reportValidity()) input.blur();
      look();
    });
    label.append(input);
    form.append(label);
  }
  const gone = element("button", "Delete", "plain");
  gone.type = "button";
  gone.addEventListener("click", async () => { gone.blur(); await post(`agents/${agent.id}`, undefined, "DELETE"); look(); });
  form.append(gone);
  form.addEventListener("submit", (event) => event.preventDefault());
  return form;
}

function call(one) {
  const box = element("details");
  const summary = element("summary");
  const good = one.status !== null && one.status < 400;
  summary.append(
    element("span", one.status ?? "…", `status ${good ? "ok" : "no"}`),
    element("span", one.method, "method mono"),
    element("code", one.path),
    element("span", one.ms === null ? "" : `${Math.round(one.ms)} ms`, "ms"),
  );
  const chips = element("span", undefined, "chips");
  if (one.fault) chips.append(element("span", `fault: ${one.fault}`, "chip bad"));
  if (one.status === 404 && !one.operation) chips.append(element("span", "no such path", "chip bad"));
  for (const name of one.unknown) chips.append(element("span", `${name} is unknown`, "chip"));
  for (const name of one.assigned) chips.append(element("span", `${name} is Simli's own`, "chip"));
  if (chips.childElementCount) summary.append(chips);
  const facts = element("dl");
  const fact = (name, value) => facts.append(element("dt", name), element("dd", value));
  fact("at", clock(one.at));
  fact("operation", one.operation || "–");
  fact("key", one.auth || "none");
  for (const [name, value] of Object.entries(one.body)) fact(name, typeof value === "string" ? value : JSON.stringify(value));
  box.append(summary, facts);
  return box;
}

function showCalls(calls) {
  find("call-count").textContent = calls.length ? calls[0].id : 0;
  find("no-calls").hidden = calls.length > 0;
  const known = new Map([...find("calls").children].map((item) => [item.dataset.id, item]));
  find("calls").replaceChildren(...calls.slice(0, SHOWN_CALLS).map((one) => {
    const key = `${one.id}-${one.status}-${one.ms}`;
    const item = known.get(key) ?? element("li");
    if (!item.dataset.id) {
      item.dataset.id = key;
      item.append(call(one));
    }
    return item;
  }));
}

function showFaults(faults) {
  find("faults").replaceChildren(...faults.map((one) => {
    const item = element("li");
    const left = one.count === null ? "" : `, ${one.count} times more`;
    const what = one.kind || one.status || "as it is";
    item.append(element("code", one.operation), ` ${what}${one.delay ? `, ${one.delay} s late` : ""}${one.after ? ", after it was done" : ""}${left}`);
    return item;
  }));
}

function showBehaviour({ behaviour, choices }) {
  if (find("behaviour").contains(document.activeElement)) drawn.delete("behaviour");
  else find("behaviour").replaceChildren(...Object.entries(behaviour).map(([name, value]) => field(name, value, choices[name])));
}

function field(name, value, choices) {
  const label = element("label", SPOKEN_OF[name] ?? name);
  const input = element(choices ? "select" : "input");
  if (choices) input.append(...choices.map((one) => new Option(one, one, false, one === value)));
  else if (typeof value === "boolean") { input.type = "checkbox"; input.checked = value; }
  else { input.type = "number"; input.min = 0; input.step = "any"; input.value = value; }
  input.addEventListener("change", async () => {
    const wanted = choices ? choices.find((one) => String(one) === input.value) : input.type === "checkbox" ? input.checked : Number(input.value);
    const answer = await post("behaviour", { [name]: wanted });
    input.setCustomValidity(answer.ok ? "" : (await answer.json()).detail);
    input.reportValidity();
    input.blur();
    look();
  });
  if (typeof value === "boolean") { label.className = "tick"; label.prepend(input); } else label.append(input);
  return label;
}

async function look() {
  const answer = await fetch("/sandbox/state.json").catch(() => null);
  find("away").hidden = Boolean(answer?.ok);
  if (!answer?.ok) return;
  const state = await answer.json();
  find("running").textContent = state.running;
  find("billed").textContent = state.billed;
  if (changed("sessions", state.sessions)) showSessions(state.sessions);
  showRoom(state.sessions.find((one) => one.id === chosen));
  if (changed("agents", state.agents)) showAgents(state.agents);
  if (changed("calls", state.calls)) showCalls(state.calls);
  if (changed("faults", state.faults)) showFaults(state.faults);
  if (changed("behaviour", state.behaviour)) showBehaviour(state);
  if (changed("operations", state.operations)) find("operations").replaceChildren(...state.operations.map((one) => new Option(one)));
  if (changed("kinds", state.kinds)) find("kinds").append(...state.kinds.map((one) => new Option(one)));
}

find("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (!text || !player) return;
  find("text").value = "";
  await player.say(text).catch((error) => { find("told").textContent = error.message; });
  look();
});
find("watch").addEventListener("click", async () => {
  if (player?.connection) player.unwatch(); else await player?.watch().catch(() => {}); // why stands on the curtain
  look();
});
find("leave").addEventListener("click", async () => { await player?.leave(); look(); });
find("agent").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await post("agents", Object.fromEntries(new FormData(event.target)));
  if (answer.ok) event.target.reset();
  look();
});
find("clear").addEventListener("click", async () => { await post("faults", undefined, "DELETE"); look(); });
find("fault").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const wanted = { operation: form.get("operation"), kind: form.get("kind"), after: form.get("after") === "on" };
  for (const name of ["status", "delay", "count"]) if (form.get(name)) wanted[name] = Number(form.get(name));
  const answer = await post("faults", wanted);
  find("wrong").hidden = answer.ok;
  if (answer.ok) event.target.reset(); else find("wrong").textContent = (await answer.json()).detail;
  look();
});

await look();
setInterval(() => { if (!document.hidden) look(); }, INTERVAL);
