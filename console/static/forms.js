// Parts that change by themselves: a pattern that is tried while it is typed, a job that moves on.
import { ask } from "./ask.js";
import { say } from "./copy.js";
import { local } from "./times.js";

const RANGE = ["range", "from", "to"];
const PAUSE_MS = 400;
const EVERY_MS = 2000;
const EVERY_MAX_MS = 30_000;

async function part(url, options = {}) {
  const answer = await ask(url, options);
  if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
  return answer.text();
}

function tryWhileTyping(form, enhance) {
  const tried = document.getElementById("tried");
  const pattern = form.elements.filter;
  let timer;
  let running;
  const run = async () => {
    running?.abort();
    running = new AbortController();
    const body = new URLSearchParams({ csrf: form.elements.csrf.value, filter: pattern.value });
    tried.setAttribute("aria-busy", "true");
    try {
      tried.innerHTML = await part(form.dataset.try, { method: "POST", body, signal: running.signal });
      enhance(tried);
      tried.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name === "AbortError") return;
      tried.textContent = "The pattern was not tried: the console does not answer.";
      tried.removeAttribute("aria-busy");
    }
  };
  pattern.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(run, PAUSE_MS);
  });
  for (const button of form.querySelectorAll("[data-without-script]")) button.hidden = true;
  onRange((url, text) => { // another page would have lost what was typed
    for (const [place, name] of [[form.dataset, "try"], [form, "action"]]) {
      place[name] = `${place[name].split("?")[0]}${url.search}`;
    }
    history.replaceState(history.state, "", url);
    delete document.querySelector("main").dataset.to; // it shows another time now
    const menu = document.querySelector(".range details");
    const summary = menu.querySelector("summary");
    summary.replaceChildren(summary.firstElementChild, text);
    menu.open = false;
    run();
  });
  run();
}

// Calls `chosen` with the page's address in another range, and the range's name, in place of going there.
function onRange(chosen) {
  for (const link of document.querySelectorAll(".range ul a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      chosen(new URL(link.href), link.textContent);
    });
  }
  document.querySelector(".range form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = new URL(location.href);
    url.search = new URLSearchParams(new FormData(event.target));
    const [from, to] = ["from", "to"].map((name) => local(new Date(url.searchParams.get(name)), "minute"));
    chosen(url, `${from} – ${to}`);
  });
}

// What is typed in a form that asks for this page goes along when another range is chosen.
function carry(form) {
  const into = (query) => {
    for (const { name } of form.elements) if (!RANGE.includes(name)) query.delete(name);
    for (const [name, text] of new FormData(form)) if (text && !RANGE.includes(name)) query.set(name, text);
  };
  for (const link of document.querySelectorAll(".range ul a")) {
    link.addEventListener("click", () => {
      const url = new URL(link.href);
      into(url.searchParams);
      link.href = url;
    });
  }
  document.querySelector(".range form")?.addEventListener("formdata", (event) => into(event.formData));
}

function refresh(place, enhance) {
  let pause = EVERY_MS;
  const again = async () => {
    if (!place.isConnected || !place.querySelector("[data-moving]")) return;
    if (!document.hidden && !place.contains(document.activeElement)) {
      try {
        place.innerHTML = await part(place.dataset.refresh);
        enhance(place);
        pause = EVERY_MS;
      } catch {
        say("The console does not answer how far it is. It is asked again.");
        pause = Math.min(2 * pause, EVERY_MAX_MS);
      }
    }
    setTimeout(again, pause);
  };
  setTimeout(again, EVERY_MS);
}

export function enhanceForms(enhance) {
  for (const form of document.querySelectorAll("form[data-try]")) tryWhileTyping(form, enhance);
  for (const form of document.querySelectorAll("main form:not([data-range])")) if (form.method === "get") carry(form);
  for (const place of document.querySelectorAll("[data-refresh]")) refresh(place, enhance);
}
