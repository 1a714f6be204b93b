// The page of a live run. The device sends how it stands, a few times a second; this shows it.
// All text that comes from there goes in by textContent: labels and reasons are anybody's words.

import { ask, element, post } from "/ask.js";
import { Timeline, drawHistogram } from "/chart.js";
import { showEvidence } from "/evidence.js";

const SILENCE_MS = 5000; // without a word from the device, before what is shown is called old
const MOST_EVENTS = 80;
const OLD = ["silent", "no-signal", "stuck", "offline"];
const TITLES = {
  waiting: "WAITING", live: "LIVE", alarm: "ALARM", silent: "NO SIGNAL", "no-signal": "NO SIGNAL", stuck: "MODEL STUCK",
  offline: "NO CONNECTION",
};
const SIGNS = {
  uncertain: "low confidence", flicker: "the label keeps changing", disagreement: "its passes disagree",
  score: "the detector calls",
};
const COUNTS = {
  seen: "seen", predicted: "predicted", skipped: "skipped for newer", lost: "lost by the camera",
  dead: "dead", outages: "outages", restarts: "model restarts", swaps: "model swaps",
};

const at = (id) => document.getElementById(id);
const timeline = new Timeline(at("timeline"), at("tip"));
let state = null;
let heard = 0; // when the device was heard last, by this browser's clock
let shownKind = "";
let shownModel = null;
let shownEvidence = null;
let shownRun = null;

const percent = (share) => `${(100 * share).toFixed(share >= 0.9995 || share < 0.1 ? 0 : 1)} %`;
const clock = (iso) => new Date(iso).toLocaleTimeString([], { hourCycle: "h23" });

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} days ${Math.floor((whole % 86400) / 3600)} h`;
}

function facts(list, pairs) {
  list.replaceChildren();
  for (const [name, value] of pairs) {
    if (value === null || value === undefined) continue;
    const described = element("dd");
    described.append(value instanceof Node ? value : String(value));
    list.append(element("dt", name), described);
  }
}

// How it stands ---------------------------------------------------------------------------------------------------

function show(kind) {
  const now = state?.now ?? null;
  const old = OLD.includes(kind);
  document.body.dataset.kind = kind;
  at("kind").textContent = TITLES[kind] ?? kind;
  let since = kind === "offline" ? heard && (Date.now() - heard) / 1000 : null;
  if (kind !== "offline" && state?.since) since = (new Date(state.at) - new Date(state.since)) / 1000;
  const began = kind !== "offline" && state?.since ? `since ${clock(state.since)}, ` : "for ";
  at("since").textContent = since ? began + duration(since) : "";

  const label = now === null ? "–" : now.steady ?? now.top[0].label;
  at("label").textContent = old && now !== null ? `last seen ${clock(now.at)}: ${label}` : label;
  at("reason").textContent = reason(kind, now);
  at("confidence").hidden = old || now === null;
  if (now !== null) {
    const sure = now.top[0].probability;
    at("confidence").querySelector("i").style.width = `${100 * sure}%`;
    at("confidence").querySelector("output").textContent =
      now.top[0].label === label ? percent(sure) : `just now: ${now.top[0].label} ${percent(sure)}`;
  }
  at("stale").hidden = !old;
  at("stale").textContent = old ? `not live: ${now === null ? "nothing was seen" : `seen at ${clock(now.at)}`}` : "";
  document.title = kind === "live" ? `${label} · natadv edge` : `${TITLES[kind]} · natadv edge`;
  if (kind !== shownKind) {
    shownKind = kind;
    at("announce").textContent = `${TITLES[kind]} ${kind === "live" ? label : reason(kind, now)}`;
  }
}

function reason(kind, now) {
  if (kind === "offline") return "the device does not answer; what is shown is old";
  if (kind === "waiting") return "no frame was predicted yet";
  if (kind === "alarm") return state.signs.map((sign) => SIGNS[sign] ?? sign).join(", ") || "over the signs; calming down";
  if (kind === "live" && now.steady === null) return "not steady yet";
  return state.reason ?? "";
}

function showNow(now) {
  if (now === null) return;
  at("top").replaceChildren(...now.top.map(({ label, probability }) => {
    const item = element("li");
    const track = element("span", "", "track");
    const bar = element("i");
    bar.style.width = `${100 * probability}%`;
    track.append(bar);
    item.append(element("span", label), element("output", percent(probability)), track);
    return item;
  }));
  facts(at("facts"), [
    ["steady", now.steady ?? "none yet"],
    ["truth", now.truth],
    ["detector", now.score === null ? null : now.score.toFixed(2)],
    ["disagreement", now.disagreement === null ? null : now.disagreement.toFixed(2)],
    ["frame", now.index],
    ["age", `${now.age_ms.toFixed(now.age_ms < 10 ? 1 : 0)} ms`],
    ["rate", `${now.fps.toFixed(1)} a second`],
  ]);
}

function showTimings(timings) {
  if (timings === null) return;
  drawHistogram(at("histogram"), timings);
  const rows = [...Object.entries(timings.stages), ["latency", timings.latency], ["age when published", timings.age]];
  at("stages").tBodies[0].replaceChildren(...rows.map(([name, { p50_ms, p99_ms }]) => {
    const row = element("tr");
    const head = element("th", name);
    head.scope = "row";
    row.append(head, element("td", p50_ms.toFixed(1)), element("td", p99_ms.toFixed(1)));
    return row;
  }));
}

function take(newest) {
  if (shownRun !== null && shownRun !== newest.run) location.reload(); // the program was started anew
  shownRun = newest.run;
  const first = heard === 0 || document.body.dataset.kind === "offline";
  state = newest;
  heard = Date.now();
  show(state.kind);
  showNow(state.now);
  showTimings(state.timings);
  facts(at("counts"), Object.entries(COUNTS).map(([key, name]) => [name, state.counts[key].toLocaleString()]));
  at("uptime").textContent = `running for ${duration(state.elapsed_s)}`;
  if (first) watch();
  if (state.model !== shownModel) {
    shownModel = state.model;
    showModel();
  }
  if (state.evidence !== shownEvidence) {
    shownEvidence = state.evidence;
    showEvidence();
  }
}

// The film --------------------------------------------------------------------------------------------------------

const picture = at("picture");
let films = 0;

function watch() {
  if (!document.hidden) picture.src = `/stream?${(films += 1)}`;
}

picture.addEventListener("error", () => setTimeout(() => shownKind !== "offline" && watch(), 2000));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) picture.removeAttribute("src"); // who does not look costs the device nothing
  else watch();
});

// The model -------------------------------------------------------------------------------------------------------

async function showModel() {
  const model = await ask("/api/model");
  timeline.name(model.labels);
  at("bundle").textContent = model.bundle;
  const sure = model.accuracy;
  const interval = sure?.low == null ? "" : ` (${percent(sure.low)} to ${percent(sure.high)}, ${sure.images} images)`;
  const digest = model.sha256 && element("code", model.sha256);
  const names = element("details");
  names.append(element("summary", `${model.labels.length}`), element("span", model.labels.join(", ")));
  facts(at("model-facts"), [
    ["bundle", model.bundle],
    ["architecture", model.name],
    ["classes", names],
    ["input", `${model.height_px} × ${model.width_px} px`],
    ["precision", model.precision],
    ["passes a frame", model.draws],
    ["accuracy", sure && percent(sure.value) + interval],
    ["measured on", sure?.data],
    ["exported", model.created && new Date(model.created).toLocaleString([], { hourCycle: "h23" })],
    ["sha256", digest],
    ["runs as", model.described],
  ]);
  at("card").hidden = !model.card;
  at("swap").hidden = model.bundles.length === 0;
  at("bundles").replaceChildren(...model.bundles.map((name) => new Option(name, name, false, name === model.bundle)));
}

at("swap").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = at("swap").querySelector("button");
  button.disabled = true;
  at("swap-said").textContent = "verifying it beside the one in use …";
  try {
    const model = await post("/api/model", { bundle: at("bundles").value });
    at("swap-said").textContent = `${model.bundle} is in place`;
  } catch (error) {
    at("swap-said").textContent = `refused: ${error.message}`;
  }
  button.disabled = false;
});

// Events and the past ---------------------------------------------------------------------------------------------

function happened({ kind, text, at: when, id }) {
  const list = at("events");
  if ([...list.children].some((item) => item.dataset.id === id)) return;
  const item = element("li");
  item.dataset.id = id;
  const time = element("time", clock(when));
  time.dateTime = when;
  item.append(time, element("span", kind, `tag ${kind}`), ` ${text}`);
  list.prepend(item);
  while (list.children.length > MOST_EVENTS) list.lastChild.remove();
  timeline.happened({ kind, text, at: new Date(when) / 1000, id });
}

async function lookBack() {
  if (document.hidden || shownKind === "offline") return;
  try {
    const { seconds } = await ask(`/api/history?after=${timeline.newest}`);
    timeline.said(seconds);
    if (state !== null) timeline.draw(new Date(state.at) / 1000 + (Date.now() - heard) / 1000);
  } catch {
    // The device is gone: the watch below says so.
  }
}

const stream = new EventSource("/api/events");
stream.addEventListener("state", (message) => take(JSON.parse(message.data)));
stream.addEventListener("happened", (message) => happened(JSON.parse(message.data)));
stream.addEventListener("error", () => {
  // A browser gives up where it was answered by an error, as when there is no seat: try as long as this page is open.
  if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
setInterval(() => Date.now() - heard > SILENCE_MS && show("offline"), 500);
setInterval(lookBack, 1000);
lookBack();
