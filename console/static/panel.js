// A row opens beside the list: the URL says which, so that back, reload and a shared link do too. It works
// while the list still comes, so that opening a row does not end the search.
import { ask } from "./ask.js";
import { enhanceCopy } from "./copy.js";
import { enhanceTimes } from "./times.js";

let asked;

// What is answered is shown as it comes: the parser goes on where it is, wherever that has been put.
async function pour(answer, place) {
  const parsed = document.implementation.createHTMLDocument("");
  parsed.write("<div>");
  place.replaceChildren(parsed.body.firstChild);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) parsed.write(read.value);
  parsed.close();
}

const split = () => document.querySelector("[data-split]");
const panel = () => document.querySelector("[data-panel]");
const rowOf = (id) => split().querySelector(`tr[data-id="${CSS.escape(id)}"]`);

function mark(id) {
  for (const row of split().querySelectorAll("tr[data-id]")) {
    if (row.dataset.id === id) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
  }
}

function shut() {
  asked?.abort();
  split().classList.remove("open");
  panel().replaceChildren();
  mark(null);
}

async function show(url, id) {
  asked?.abort();
  asked = new AbortController();
  mark(id);
  try {
    const answer = await ask(url, { signal: asked.signal });
    if (!answer.ok) return location.assign(url); // a page of its own, that says why
    split().classList.add("open");
    panel().scrollTop = 0;
    await pour(answer, panel());
    enhanceTimes(panel());
    enhanceCopy(panel());
    rowOf(id)?.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (error.name !== "AbortError") location.assign(location.href);
  }
}

const opened = () => new URL(location.href).searchParams.get("event");
function rest(live = true) {
  const url = new URL(location.href);
  url.hash = ""; // the link that skips to the content
  url.searchParams.delete("event");
  if (!live) url.searchParams.delete("live");
  return url.href;
}
const shown = rest(false);

function leave() {
  if (!opened() || !split()) return;
  const row = rowOf(opened())?.querySelector("a.row");
  history.pushState(null, "", rest());
  shut();
  row?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const row = event.target.closest("[data-split] a.row[data-part]");
  if (row) {
    event.preventDefault();
    const id = row.closest("tr").dataset.id;
    if (id === opened()) return;
    const url = new URL(location.href);
    url.searchParams.set("event", id);
    history.pushState(null, "", url);
    show(row.dataset.part, id);
  } else if (event.target.closest("[data-split] [data-close]")) {
    event.preventDefault();
    leave();
  }
});
document.addEventListener("close-panel", leave);
addEventListener("popstate", () => {
  if (rest(false) !== shown) return location.reload();
  const id = opened();
  if (!id) return shut();
  show(rowOf(id)?.querySelector("a.row").dataset.part ?? `/events/${encodeURIComponent(id)}`, id);
});
