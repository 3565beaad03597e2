// Copying: texts, and a link to what is shown whose times do not move.
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
    const answer = await fetch(url);
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
  url.searchParams.delete("live");
  if (!url.searchParams.has("from")) {
    const range = url.searchParams.get("range") ?? "24h";
    const length = parseInt(range, 10) * UNITS[range.at(-1)];
    const now = Date.now();
    url.searchParams.delete("range");
    url.searchParams.set("from", new Date(now - length).toISOString());
    url.searchParams.set("to", new Date(now).toISOString());
  }
  copyText(url.href, "Link copied; its times are fixed");
}
