// The keyboard: rows by j and k, the line by /, pages by g and a letter; ? lists all. It is there while the
// page still comes. Who speaks to the computer switches keys of one letter off (WCAG 2.1.4), here and for good.
import { shareLink } from "./copy.js";

const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
const rows = () => [...document.querySelectorAll("table.rows tbody tr, .rows > li")].filter((row) => row.querySelector("a.row"));

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("cursor"));
  const selected = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const from = at >= 0 ? at : selected;
  const to = Math.min(Math.max(from + step, 0), all.length - 1);
  all[at]?.classList.remove("cursor");
  all[to].classList.add("cursor");
  all[to].scrollIntoView({ block: "nearest" });
  all[to].querySelector("a.row").focus({ preventScroll: true });
  if (document.querySelector("[data-panel] [data-panel-open]")) all[to].querySelector("a.row").click();
}

function open() {
  const row = document.querySelector("tr.cursor a.row, li.cursor a.row");
  row?.click();
}

const KEPT = "keys";

const areOn = () => localStorage.getItem(KEPT) !== "off";

function list() {
  document.querySelector("[data-keys]").checked = areOn();
  document.getElementById("keys").showModal();
}

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-keys]")) return;
  if (event.target.checked) localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, "off");
});

let waiting = false;

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const dialog = document.querySelector("dialog[open]");
  if (dialog || (event.key.length === 1 && !areOn())) return;
  if (waiting) {
    waiting = false;
    const link = document.querySelector(`a[data-key="g ${event.key}"]`);
    if (link) link.click();
    return;
  }
  const does = {
    j: () => move(1),
    k: () => move(-1),
    o: open,
    y: shareLink,
    l: () => document.querySelector("[data-does=tail]")?.click(),
    "?": list,
    "/": () => document.querySelector("[data-line]")?.focus(),
    g: () => {
      waiting = true;
      setTimeout(() => (waiting = false), 1200);
    },
    Escape: () => document.dispatchEvent(new CustomEvent("close-panel")),
  }[event.key];
  if (does) {
    event.preventDefault();
    does();
  }
}

document.addEventListener("keydown", pressed);

export function enhanceKeys() {
  for (const button of document.querySelectorAll("[data-does=keys]")) {
    button.hidden = false;
    button.addEventListener("click", list);
  }
}
