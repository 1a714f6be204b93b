// The gallery of evidence: six pictures of each alarm, and a way to say what they show.

import { ask, element, post } from "/ask.js";

let shown = "";

export async function showEvidence(labels) {
  const clips = await ask("/api/evidence");
  const now = JSON.stringify([clips, labels]);
  if (now === shown) return; // a select that is open stays so
  shown = now;
  document.getElementById("evidence").hidden = clips.length === 0;
  document.getElementById("clips").replaceChildren(...clips.map((clip) => article(clip, labels)));
}

function article(clip, labels) {
  const made = element("article", "", "clip");
  const strip = element("div", "", "strip");
  for (let place = 0; place < clip.pictures; place += 1) {
    const picture = element("img");
    picture.loading = "lazy";
    picture.alt = `picture ${place + 1} of ${clip.pictures}`;
    picture.src = `/api/evidence/${encodeURIComponent(clip.name)}/${place}.jpg`;
    strip.append(picture);
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
  words.append(when, signs, said, form(clip, labels));
  made.append(strip, words);
  return made;
}

function form(clip, labels) {
  const made = element("form");
  const select = element("select");
  select.setAttribute("aria-label", "what it truly shows");
  select.append(new Option("what is it?", ""));
  for (const label of labels) select.append(new Option(label, label, false, label === clip.label));
  select.required = true;
  const button = element("button", clip.label === null ? "Label" : "Label anew");
  made.append(select, button);
  if (clip.label !== null) made.append(element("span", "✓ labelled", "soft"));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const said = document.getElementById("labelled");
    try {
      await post(`/api/evidence/${encodeURIComponent(clip.name)}/label`, { label: select.value });
      said.textContent = `labelled as ${select.value}`;
      await showEvidence(labels);
    } catch (error) {
      said.textContent = `not labelled: ${error.message}`;
    }
    button.disabled = false;
  });
  return made;
}
