// The gallery of evidence: six pictures of each alarm, and a way to say what they show, or what some of them show.

import { ask, element, post } from "/ask.js";

let shown = "";

export async function showEvidence() {
  const clips = await ask("/api/evidence");
  const now = JSON.stringify(clips);
  if (now === shown) return; // a select that is open stays so
  shown = now;
  document.getElementById("evidence").hidden = clips.length === 0;
  document.getElementById("clips").replaceChildren(...clips.map(article));
}

function article(clip) {
  const made = element("article", "", "clip");
  const strip = element("div", "", "strip");
  const chosen = stretch(clip, strip);
  for (let place = 0; place < clip.pictures; place += 1) {
    const button = element("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => chosen.toggle(place));
    const picture = element("img");
    picture.loading = "lazy";
    picture.alt = `picture ${place + 1} of ${clip.pictures}`;
    picture.src = `/api/evidence/${encodeURIComponent(clip.name)}/${place}.jpg`;
    button.append(picture);
    strip.append(button);
  }
  const words = element("div");
  const when = element("p");
  const time = element("time", new Date(clip.at).toLocaleString([], { hourCycle: "h23" }));
  time.dateTime = clip.at;
  when.append(time, element("span", `, ${clip.seconds.toFixed(1)} s, ${clip.frames} frames`, "soft"));
  const signs = element("p");
  for (const sign of clip.signs) signs.append(element("span", sign, "tag alarm"), " ");
  const said = element("p", "the model said ");
  said.append(element("strong", clip.said));
  const parts = element("p");
  for (const part of clip.parts) {
    parts.append(element("span", `${part.from_s.toFixed(1)}–${part.to_s.toFixed(1)} s: ${part.label}`, "tag"), " ");
  }
  if (clip.damaged !== null) parts.append(element("span", clip.damaged));
  words.append(when, signs, said, parts, form(clip, chosen));
  made.append(strip, words);
  return made;
}

// Which pictures of a clip are chosen: none, which means all, or a stretch of neighbours.
function stretch(clip, strip) {
  let first = null;
  let last = null;
  const heard = [];
  const step = clip.seconds / (clip.pictures - 1);
  return {
    toggle(place) {
      if (first === null) [first, last] = [place, place];
      else if (first === last && place === first) [first, last] = [null, null];
      else if (place < first) first = place;
      else if (place > last) last = place;
      else [first, last] = [place, place];
      strip.childNodes.forEach((button, index) => {
        button.setAttribute("aria-pressed", String(first !== null && first <= index && index <= last));
      });
      heard.forEach((tell) => tell());
    },
    listen: (tell) => heard.push(tell),
    // From half-way to the picture before up to half-way to the one after; the clip's own ends are left to it.
    part() {
      const made = {};
      if (first === null || (first === 0 && last === clip.pictures - 1)) return made;
      if (first > 0) made.from_s = (first - 0.5) * step;
      if (last < clip.pictures - 1) made.to_s = (last + 0.5) * step;
      return made;
    },
    words() {
      const { from_s: from, to_s: to } = this.part();
      if (from === undefined && to === undefined) return "";
      return `${(from ?? 0).toFixed(1)}–${(to ?? clip.seconds).toFixed(1)} s`;
    },
  };
}

function form(clip, chosen) {
  const made = element("form");
  const select = element("select");
  select.setAttribute("aria-label", "what it truly shows");
  select.append(new Option("what is it?", ""));
  for (const label of clip.labels) select.append(new Option(label, label, false, label === clip.label));
  select.required = true;
  const button = element("button");
  const name = () => {
    const words = chosen.words();
    button.textContent = words ? `Label ${words}` : clip.label === null ? "Label the clip" : "Label anew";
  };
  chosen.listen(name);
  name();
  made.append(select, button);
  if (clip.label !== null) made.append(element("span", "✓ labelled", "soft"));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const said = document.getElementById("labelled");
    try {
      await post(`/api/evidence/${encodeURIComponent(clip.name)}/label`, { label: select.value, ...chosen.part() });
      said.textContent = `${chosen.words() || "the clip"} labelled as ${select.value}`;
      await showEvidence();
    } catch (error) {
      said.textContent = `not labelled: ${error.message}`;
    }
    button.disabled = false;
  });
  return made;
}
