// Live: new rows come in above. While somebody reads - the pointer is on the list, the list is scrolled,
// a row is open or marked - they wait, and a line says how many. The server is told what the list has, so that
// nothing is left out between; what comes twice is known by its id, what comes late is put where it belongs.
import { ask } from "./ask.js";

const ROWS_MAX = 500;
const KNOWN_MAX = 5000;

const before = (a, b) => Number(a.dataset.at) - Number(b.dataset.at) || (a.dataset.id < b.dataset.id ? -1 : 1);
const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// Rows of the list, newest first; those below the last one shown are not its business.
function rowsOf(body, enhance) {
  const all = () => [...body.querySelectorAll("tr[data-id]")];
  const known = new Set(all().map((row) => row.dataset.id));
  let last = document.querySelector("tr.end [rel=next]") ? all().at(-1) : null;

  function fresh(html) {
    const holder = document.createElement("template");
    holder.innerHTML = `<table><tbody>${html}</tbody></table>`;
    const found = [...holder.content.querySelectorAll("tr")];
    const taken = found.filter((row) => !known.has(row.dataset.id) && (!last || before(last, row) < 0));
    for (const row of taken) known.add(row.dataset.id);
    for (const id of [...known].slice(0, Math.max(0, known.size - KNOWN_MAX))) known.delete(id);
    return taken;
  }

  function put(rows) {
    body.querySelector("tr.end[data-state=empty]")?.remove();
    for (const row of rows.toSorted(before)) {
      row.classList.add("fresh");
      const next = all().find((each) => before(each, row) < 0) ?? body.querySelector("tr.end");
      body.insertBefore(row, next ?? null);
      enhance(row);
    }
    const shown = all();
    for (const row of shown.slice(ROWS_MAX)) row.remove();
    if (shown.length > ROWS_MAX) end((last = shown[ROWS_MAX - 1]));
    const told = body.querySelector("tr.end .ended span");
    if (told) told.textContent = told.textContent.replace(/^[\d,]+/, all().length.toLocaleString("en"));
  }

  // Rows were cut: what is older begins with the last one shown.
  function end(row) {
    const url = new URL(location.href);
    for (const name of ["range", "event", "cursor", "live"]) url.searchParams.delete(name);
    url.searchParams.set("from", document.querySelector("main").dataset.from);
    url.searchParams.set("to", new Date(Number(row.dataset.at) + 1).toISOString());
    const holder = body.querySelector("tr.end") ?? body.appendChild(document.createElement("tr"));
    holder.className = "end";
    holder.innerHTML = '<td colspan="6"><p class="ended"><span>0 shown, newest first.</span><a class="button" rel="next">Older</a></p>';
    holder.querySelector("a").href = url;
  }

  const since = (at) => all().filter((row) => Number(row.dataset.at) >= at).length;
  return { fresh, put, since, floor: last ? Number(last.dataset.at) : 0 };
}

export function enhanceTail(enhance, say) {
  const button = document.querySelector("button[data-does=tail]");
  const body = document.querySelector("[data-rows]");
  if (!button || !body || !window.EventSource) return;
  const list = document.querySelector("[data-list]");
  const line = document.querySelector("[data-waiting]");
  const rows = rowsOf(body, enhance);
  const url = new URL(button.dataset.url, location.href);
  url.searchParams.set("floor", rows.floor);
  const until = document.querySelector("[data-until]");
  if (until) url.searchParams.set("since", until.dataset.until);
  let source = null;
  let waiting = [];
  let lost = 0;
  let over = false;

  const reading = () =>
    over ||
    window.scrollY > 60 ||
    document.querySelector("[data-panel-open]") ||
    list.contains(document.activeElement) ||
    (getSelection().type === "Range" && list.contains(getSelection().anchorNode));

  function say_waiting() {
    line.hidden = !waiting.length;
    if (line.hidden) return line.replaceChildren();
    const show = line.querySelector("button") ?? document.createElement("button");
    show.type = "button";
    show.textContent = `${count(waiting.length, "new event")} - show`;
    show.onclick = () => {
      release();
      scrollTo({ top: 0 });
    };
    if (!show.isConnected) line.replaceChildren(show);
  }

  function say_lost(more) {
    const told = document.querySelector("[data-lost]");
    const again = document.createElement("a");
    again.href = location.href;
    again.textContent = "Load the list again";
    const many = `${more ? "More than " : ""}${count(lost, "newer event")} not in this list: too many at once. `;
    told.replaceChildren(lost ? many : "There may be newer events that are not in this list. ", again);
    told.hidden = false;
  }

  function release() {
    rows.put(waiting);
    waiting = [];
    say_waiting();
  }

  function say_behind(text) {
    const told = document.querySelector("[data-behind]");
    told.textContent = text;
    told.hidden = !text;
  }

  function came(event) {
    url.searchParams.set("since", event.lastEventId);
    const told = JSON.parse(event.data);
    if (told.failure) return say(`Live: ${told.failure}`);
    say_behind(told.behind);
    waiting = [...rows.fresh(told.rows ?? ""), ...waiting].toSorted(before).reverse();
    lost += told.missed + Math.max(0, waiting.length - ROWS_MAX);
    if (told.missed || told.more || waiting.length > ROWS_MAX) say_lost(told.more);
    waiting = waiting.slice(0, ROWS_MAX);
    if (reading()) say_waiting();
    else release();
  }

  // A stream that is refused does not say why; the same asked for once more does.
  async function refused() {
    const only = new AbortController();
    const answer = await ask(url, { signal: only.signal }).catch(() => null);
    set(false);
    const why = answer && !answer.ok ? await answer.text() : "";
    only.abort();
    say(`Live has ended. ${/^[^<]{1,300}$/.test(why) ? why : "The console does not answer"}`);
  }

  function set(live) {
    button.setAttribute("aria-pressed", String(live));
    const here = new URL(location.href);
    if (live) here.searchParams.set("live", "1");
    else here.searchParams.delete("live");
    history.replaceState(history.state, "", here);
    source?.close();
    source = null;
    if (!live) say_behind("");
    if (!live) return release();
    url.searchParams.set("has", rows.since(Number(url.searchParams.get("since"))));
    source = new EventSource(url);
    source.addEventListener("batch", came);
    source.addEventListener("error", () => source?.readyState === EventSource.CLOSED && refused());
  }

  list.addEventListener("pointerenter", () => (over = true));
  list.addEventListener("pointerleave", () => {
    over = false;
    if (!reading()) release();
  });
  addEventListener("scroll", () => reading() || release(), { passive: true });
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && source && set(true));
  button.hidden = false;
  button.addEventListener("click", () => set(!source));
  if (new URL(location.href).searchParams.has("live")) set(true);
}
