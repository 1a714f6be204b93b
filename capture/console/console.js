// The operator's page. The program sends how the session stands, a few times a second; this shows it, and asks.
// All text that comes from there goes in by textContent: labels and reasons are anybody's words.

import { element, post } from "/ask.js";
import { leave, showView, watch } from "/view.js";

const SILENCE_MS = 5000; // without a word from the program, before what is shown is called old
const BACK_MS = 1500;
const MOST_EVENTS = 200;
const MOST_PICTURES = 40;
const TITLES = {
  preview: "PREVIEW", starting: "STARTING", running: "RECORDING", pausing: "PAUSING", paused: "PAUSED",
  stopping: "ENDING", halted: "EMERGENCY STOP", lost: "DEVICE LOST", ended: "ENDED", offline: "NO CONNECTION",
  over: "THE PROGRAM HAS ENDED", elsewhere: "SHOWN IN NEWER WINDOWS",
};

const REASONS = {
  offline: "the program does not answer; what is shown is old",
  elsewhere: "touch this page to go on here; the emergency stop works in all of them",
};

const at = (id) => document.getElementById(id);
let state = null;
let heard = 0; // when the program was heard last, by this browser's clock
let shownStanding = "";
let shownRun = null;
let shownHits = "";
let stream = null;

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

// How it stands ---------------------------------------------------------------------------------------------------

function show(standing) {
  document.body.dataset.standing = standing;
  at("kind").textContent = TITLES[standing] ?? standing;
  const turn = state?.now ?? null;
  at("turn").textContent = words(standing, turn);
  at("reason").textContent = REASONS[standing] ?? state?.reason ?? "";
  document.title = `${TITLES[standing]} · natadv capture`;
  for (const button of document.querySelectorAll("[data-wish]")) {
    const can = ["offline", "over", "elsewhere"].includes(standing) ? [] : state?.can ?? [];
    const wish = button.dataset.wish;
    button.disabled = !can.includes(wish);
    // Start is for a program that waits for it, and resume takes the place of pause.
    if (wish === "start") button.hidden = standing !== "preview";
    if (wish === "pause") button.hidden = can.includes("resume") || standing === "preview";
    if (wish === "resume") button.hidden = !can.includes("resume");
  }
  if (standing !== shownStanding) {
    shownStanding = standing;
    at("announce").textContent = `${TITLES[standing]} ${at("reason").textContent}`;
  }
}

function words(standing, turn) {
  if (standing === "preview") return state.can.includes("start") ? "set focus and light, then start" : "focus, light and outline";
  if (turn !== null) {
    const kind = turn.clip === "dry" ? "control through dry glass" : "clip through wet glass";
    return `image ${turn.item} (${turn.source}): ${kind}${turn.attempt ? `, attempt ${turn.attempt + 1}` : ""}`;
  }
  if (state === null || state.images === 0) return "–";
  const next = standing === "paused" && state.item !== null ? `, image ${state.item} is next` : "";
  return `${state.done} of ${state.images} images${next}`;
}

function take(newest) {
  if (shownRun !== null && shownRun !== newest.run) location.reload(); // the program was started anew
  shownRun = newest.run;
  const first = heard === 0 || ["offline", "elsewhere"].includes(shownStanding);
  state = newest;
  heard = Date.now();
  show(state.standing);
  at("session").textContent = state.session ?? "";
  at("rig").textContent = state.rig;
  showProgress();
  showFacts();
  showDevices();
  showHits();
  showPrompt();
  showView(state.view, state.corners, { old: false, focusing: state.standing === "preview" });
  if (first) watch();
}

function showProgress() {
  at("progress").hidden = state.images === 0;
  if (state.images === 0) return;
  at("progress").querySelector("i").style.width = `${(100 * (state.done + state.skipped)) / state.images}%`;
  at("count").textContent = `${state.done} of ${state.images} recorded${state.skipped ? `, ${state.skipped} skipped` : ""}`;
  at("left").textContent = state.left_s === null ? "" : `${duration(state.left_s)} left`;
}

function showFacts() {
  const pairs = [
    ["recorded", state.images ? `${state.done} of ${state.images}` : null],
    ["skipped", state.images ? state.skipped : null],
    ["recorded again", state.images ? state.reshoots : null],
    ["images an hour", state.images_per_hour],
    ["time left", state.left_s === null ? null : duration(state.left_s)],
    ["disk", state.disk],
  ];
  at("facts").replaceChildren();
  for (const [name, value] of pairs) {
    if (value === null) continue;
    const described = element("dd", String(value), name === "disk" && !state.disk_enough ? "bad" : "");
    at("facts").append(element("dt", name), described);
  }
  if (state.images === 0) at("facts").append(element("dt", "session"), element("dd", "none yet"));
}

function showDevices() {
  at("devices").replaceChildren(...state.devices.map(({ device, health, words: how }) => {
    const item = element("li", "", health);
    item.append(element("strong", device), element("span", `${health === "lost" ? "LOST: " : ""}${how}`));
    return item;
  }));
}

// Hits ------------------------------------------------------------------------------------------------------------

function showHits() {
  at("hits").hidden = state.models.length === 0;
  const now = JSON.stringify([state.models, state.hits]);
  if (now === shownHits) return;
  shownHits = now;
  at("models").replaceChildren(...state.models.map((model) => {
    const made = element("article", "", "model");
    const wrong = model.controls_wrong ? `; ${model.controls_wrong} wrong without drops already` : "";
    const head = element("p", "");
    head.append(element("strong", model.model), ` ${model.rate} of images fool it, ${model.hits} frames${wrong}`);
    const strip = element("ul", "", "strip");
    strip.append(...state.hits.filter((hit) => hit.model === model.model).slice(0, MOST_PICTURES).map(thumbnail));
    made.append(head, strip);
    return made;
  }));
}

function thumbnail(hit) {
  const item = element("li");
  if (hit.pictures > 0) {
    const picture = element("img");
    picture.loading = "lazy";
    picture.alt = `image ${hit.item}, taken for ${hit.predicted}`;
    picture.src = `/api/hits/${hit.number}/${hit.best}.jpg`;
    picture.addEventListener("error", () => picture.remove());
    item.append(picture);
  }
  item.append(element("span", `${hit.item} → ${hit.predicted ?? "?"}`), element("small", `${hit.hits} of ${hit.frames}`));
  return item;
}

// Wishes and prompts ----------------------------------------------------------------------------------------------

async function ask(path, content, name) {
  try {
    const { detail } = await post(path, content);
    say(`${name}: ${detail}`);
  } catch (error) {
    say(error.message);
  }
}

function say(words) {
  if (document.body.dataset.stop === undefined) at("said").textContent = words;
}

for (const button of document.querySelectorAll("[data-wish]")) {
  button.addEventListener("click", () => {
    const { wish } = button.dataset;
    const item = ["skip", "respray"].includes(wish) ? state?.item ?? null : null;
    ask(`/api/wish/${wish}`, { item }, button.textContent);
  });
}

function showPrompt() {
  at("prompt").hidden = state.prompt === null;
  if (state.prompt !== null) at("prompt-words").textContent = state.prompt.words;
}

const answer = (done) => state?.prompt && ask(`/api/prompt/${state.prompt.number}`, { done }, state.prompt.words);
at("prompt-done").addEventListener("click", () => answer(true));
at("prompt-refuse").addEventListener("click", () => answer(false));

// The log, and the connection -------------------------------------------------------------------------------------

function happened({ kind, text, at: when, id }) {
  const list = at("events");
  if ([...list.children].some((item) => item.dataset.id === id)) return;
  const item = element("li");
  item.dataset.id = id;
  const time = element("time", new Date(when).toLocaleTimeString([], { hourCycle: "h23" }));
  time.dateTime = when;
  item.append(time, element("span", kind, `tag of-${kind}`), ` ${text}`);
  list.prepend(item);
  while (list.children.length > MOST_EVENTS) list.lastChild.remove();
}

function connect() {
  stream?.close();
  stream = new EventSource("/api/events");
  stream.addEventListener("state", (message) => take(JSON.parse(message.data)));
  stream.addEventListener("happened", (message) => happened(JSON.parse(message.data)));
  stream.addEventListener("error", () => {
    // A browser gives up where it was answered by an error, as when there is no seat: try as long as this page is open.
    if (stream?.readyState === EventSource.CLOSED) setTimeout(() => stream !== null && connect(), 3000);
  });
}

function disconnect() {
  stream?.close();
  stream = null;
  leave();
}

// A browser opens six connections to a server, for all its pages together. A page holds two, so the two that were opened
// or came to the front last hold theirs, and the others let go: the emergency stop of any has always one to go by.
const pages = new BroadcastChannel("natadv-console-live");
const self = Math.random().toString(36).slice(2);
const newer = new Set();
let back = 0;

function claim() {
  newer.clear();
  pages.postMessage(self);
}

pages.addEventListener("message", ({ data }) => {
  newer.add(data);
  if (newer.size < 2 || stream === null) return;
  clearTimeout(back);
  disconnect();
  show("elsewhere");
});

function comeBack() {
  clearTimeout(back);
  if (document.hidden || document.body.dataset.pressing !== undefined) return;
  claim();
  if (stream !== null) return;
  connect();
  watch();
}

window.addEventListener("focus", comeBack);
window.addEventListener("pointerdown", () => stream === null && comeBack());
window.addEventListener("let-go", () => {
  if (stream === null) return;
  disconnect();
  clearTimeout(back);
  back = setTimeout(comeBack, BACK_MS);
});
window.addEventListener("come-back", comeBack);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else comeBack();
});
setInterval(() => {
  if (Date.now() - heard <= SILENCE_MS || document.hidden || shownStanding === "elsewhere") return;
  show(["ended", "halted"].includes(state?.standing) ? "over" : "offline");
  if (state !== null) showView(state.view, state.corners, { old: true, focusing: false });
}, 500);
claim();
connect();
