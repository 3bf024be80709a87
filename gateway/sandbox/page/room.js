import { Player } from "/sandbox/player.js";

const find = (id) => document.getElementById(id);
const room = location.pathname.split("/")[2];
const player = new Player(room, { video: find("video"), curtain: find("curtain"), lines: find("lines") });
let over = false;

async function look() {
  const answer = await fetch(`/room/${room}/state.json`).catch(() => null);
  if (!answer?.ok) {
    find("told").textContent = answer ? "There is no such room." : "The sandbox does not answer.";
    return;
  }
  const seen = await answer.json();
  player.show(seen.turns);
  over = seen.state === "ended";
  find("told").textContent = over ? `The session is over (${seen.reason}).` : seen.state;
  for (const one of ["text", "leave"]) find(one).disabled = over;
  if (over) {
    player.unwatch();
    find("curtain").textContent = "The session is over.";
  }
}

find("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (!text) return;
  find("text").value = "";
  await player.say(text).catch((error) => { find("told").textContent = error.message; });
  look();
});
find("leave").addEventListener("click", async () => { await player.leave(); look(); });

await look();
if (!over) player.watch();
setInterval(() => { if (!over) look(); }, 500);
