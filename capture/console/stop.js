// The emergency stop: its own module and its own connection, so that it works when all else on the page does not.
// Pressed, it asks again and again until the program says that stage and sprayer have stopped, and shows that.

const TRY_MS = 3500; // the program takes two seconds at most to see whether the devices obey
const AGAIN_MS = 250;

const button = document.getElementById("stop-button");
const said = document.getElementById("said");
const pages = new BroadcastChannel("natadv-console");
let pressing = false;

// A browser opens six connections to a server, and pages of this rig may hold them all with films and events.
function letGo() {
  window.dispatchEvent(new Event("let-go"));
  pages.postMessage("let-go");
}

pages.addEventListener("message", () => window.dispatchEvent(new Event("let-go")));

function show(words, kind) {
  document.body.dataset.stop = kind;
  said.textContent = words;
}

export async function emergencyStop() {
  if (pressing) return;
  pressing = true;
  document.body.dataset.pressing = "";
  show("stopping …", "asked");
  for (let tries = 1; ; tries += 1) {
    letGo();
    try {
      const signal = AbortSignal.timeout(TRY_MS);
      const answer = await fetch("/api/stop", { method: "POST", cache: "no-store", signal });
      if (answer.status === 401) throw new Error("the token is not known any more");
      const { detail, unstopped } = await answer.json();
      if (!answer.ok) throw new Error(detail);
      if (unstopped.length) show(`NOT STOPPED: ${detail}`, "failed");
      else show(`STOPPED: ${detail}`, "done");
      break;
    } catch (error) {
      show(`NO ANSWER (try ${tries}, and on): use the switch at the rig! ${error.message}`, "failed");
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
  pressing = false;
  delete document.body.dataset.pressing;
  window.dispatchEvent(new Event("come-back"));
}

document.getElementById("stop").addEventListener("submit", (event) => {
  event.preventDefault();
  emergencyStop();
});

// The space bar stops whatever has the focus; that a button would be pressed by it too is kept from happening.
function onSpace(event) {
  if (event.key !== " " || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.type === "keydown" && !event.repeat) emergencyStop();
}

window.addEventListener("keydown", onSpace, true);
window.addEventListener("keyup", onSpace, true);
