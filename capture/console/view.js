// What the camera sees: the film, with the outline of the shown picture over it, its light and its focus.

const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["red", "green", "blue"];
const STALE_S = 2;

const picture = at("picture");
let films = 0;
let live = false;
let peaking = false;
let best = 0; // the highest sharpness seen: to turn the lens until it is met again

export function watch() {
  live = true;
  if (!document.hidden) picture.src = `/stream?peaking=${peaking}&film=${(films += 1)}`;
}

export function leave() {
  live = false;
  picture.removeAttribute("src");
}

picture.addEventListener("error", () => setTimeout(() => live && watch(), 1000));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) picture.removeAttribute("src"); // who does not look costs the program nothing
  else if (live) watch();
});

function toggle(button, change) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    change(on);
  });
}

toggle(at("peaking"), (on) => {
  peaking = on;
  if (live) watch();
});
toggle(at("outlined"), (on) => at("outline").classList.toggle("off", !on));

export function showView(view, corners, { old, focusing }) {
  at("look").classList.toggle("blind", view === null);
  at("stale").hidden = view !== null && !old && view.age_s < STALE_S;
  if (view === null) {
    at("stale").textContent = "no frame yet";
    return;
  }
  at("stale").textContent = `no new frame for ${Math.round(view.age_s)} s`;
  const outline = at("outline");
  outline.setAttribute("viewBox", `0 0 ${view.width_px} ${view.height_px}`);
  const points = (corners ?? []).map(([x, y]) => `${x + 0.5},${y + 0.5}`).join(" ");
  outline.firstElementChild.setAttribute("points", points);
  showHistogram(view.histogram);
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  at("light").textContent = `black ${percent(view.dark)}, too bright ${percent(view.bright)}`;
  at("light").classList.toggle("bad", view.bright > 0.01);
  best = focusing ? Math.max(best, view.sharpness) : 0;
  const compared = focusing ? `, best so far ${best.toFixed(1)}` : "";
  const calibrated = corners === null ? ", not calibrated: no outline" : "";
  at("sharp").textContent = `sharpness ${view.sharpness.toFixed(1)}${compared}${calibrated}`;
}

function showHistogram(channels) {
  const drawing = at("histogram");
  if (drawing.children.length === 0) {
    for (const colour of COLOURS) {
      const made = document.createElementNS(SVG, "polyline");
      made.setAttribute("class", colour);
      drawing.append(made);
    }
  }
  channels.forEach((bars, place) => {
    const step = 256 / (bars.length - 1);
    const points = bars.map((bar, bin) => `${(bin * step).toFixed(1)},${(63 - 0.6 * bar).toFixed(1)}`).join(" ");
    drawing.children[place].setAttribute("points", points);
  });
}
