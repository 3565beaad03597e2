// Copying: texts, and a link to what is shown whose times do not move.
import { ask } from "./ask.js";

let silence;

export function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => (said.textContent = ""), 2500);
}

export async function copyText(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    say(what);
  } catch {
    say("The browser does not let this page copy");
  }
}

async function copyFrom(url) {
  try {
    const answer = await ask(url);
    if (!answer.ok) throw new Error(answer.status);
    await copyText(await answer.text());
  } catch {
    say("It could not be fetched");
  }
}

export function enhanceCopy(root) {
  for (const button of root.querySelectorAll("button[data-copy-from][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copyFrom(button.dataset.copyFrom));
  }
  for (const button of root.querySelectorAll("button[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => copyText(button.dataset.copy));
  }
}

const UNITS = { m: 60e3, h: 3600e3, d: 86400e3 };

export function shareLink() {
  const url = new URL(location.href);
  if (!url.searchParams.has("from")) {
    let { from, to } = document.querySelector("main").dataset;
    if (url.searchParams.has("live") || !to) { // what is shown moves on
      const range = url.searchParams.get("range") ?? "24h";
      const now = Date.now();
      from = new Date(now - parseInt(range, 10) * UNITS[range.at(-1)]).toISOString();
      to = new Date(now).toISOString();
    }
    url.searchParams.delete("range");
    url.searchParams.set("from", from);
    url.searchParams.set("to", to);
  }
  url.searchParams.delete("live");
  copyText(url.href, "Link copied; its times are fixed");
}
