// Parts that change by themselves: a pattern that is tried while it is typed, a job that moves on.
const PAUSE_MS = 400;
const EVERY_MS = 2000;

async function part(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { ...options.headers, "X-Part": "1" } });
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
  for (const link of document.querySelectorAll(".range ul a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault(); // another page would have lost what was typed
      form.dataset.try = `${form.dataset.try.split("?")[0]}${new URL(link.href).search}`;
      history.replaceState(history.state, "", link.href);
      const menu = link.closest("details");
      const summary = menu.querySelector("summary");
      summary.replaceChildren(summary.firstElementChild, link.textContent);
      menu.open = false;
      run();
    });
  }
  run();
}

function refresh(place, enhance) {
  const again = async () => {
    if (!place.isConnected || !place.querySelector("[data-moving]")) return;
    if (!document.hidden && !place.contains(document.activeElement)) {
      try {
        place.innerHTML = await part(place.dataset.refresh);
        enhance(place);
      } catch {
        return;
      }
    }
    setTimeout(again, EVERY_MS);
  };
  setTimeout(again, EVERY_MS);
}

export function enhanceForms(enhance) {
  for (const form of document.querySelectorAll("form[data-try]")) tryWhileTyping(form, enhance);
  for (const place of document.querySelectorAll("[data-refresh]")) refresh(place, enhance);
}
