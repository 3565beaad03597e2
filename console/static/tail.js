// Live: new rows come in above. While somebody reads - the pointer is on the list, the list is scrolled,
// a row is open or marked - they wait, and a line says how many.
const ROWS_MAX = 500;
const WAITING_MAX = 500;

export function enhanceTail(enhance, say) {
  const button = document.querySelector("[data-does=tail]");
  const rows = document.querySelector("[data-rows]");
  if (!button || !rows || !window.EventSource) return;
  const list = document.querySelector("[data-list]");
  const line = document.querySelector("[data-waiting]");
  let source = null;
  let waiting = [];
  let dropped = 0;
  let over = false;

  const reading = () =>
    over ||
    window.scrollY > 60 ||
    document.querySelector("[data-panel-open]") ||
    list.contains(document.activeElement) ||
    (getSelection().type === "Range" && list.contains(getSelection().anchorNode));

  function say_waiting() {
    const count = waiting.length + dropped;
    line.hidden = !count;
    if (!count) return line.replaceChildren();
    const show = line.querySelector("button") ?? document.createElement("button");
    show.type = "button";
    show.textContent = `${count.toLocaleString("en")} new event${count === 1 ? "" : "s"} - show`;
    show.onclick = () => {
      release();
      scrollTo({ top: 0 });
    };
    if (!show.isConnected) line.replaceChildren(show);
  }

  function release() {
    if (!waiting.length && !dropped) return;
    rows.querySelector("tr.end[data-state=empty]")?.remove();
    rows.prepend(...waiting);
    for (const row of waiting) enhance(row);
    waiting = [];
    dropped = 0;
    const all = rows.querySelectorAll("tr[data-id]");
    for (const row of [...all].slice(ROWS_MAX)) row.remove();
    say_waiting();
  }

  function came(event) {
    const told = JSON.parse(event.data);
    if (told.failure) return say(`Live: ${told.failure}`);
    dropped += told.missed;
    if (told.rows) {
      const holder = document.createElement("template");
      holder.innerHTML = `<table><tbody>${told.rows}</tbody></table>`;
      const fresh = [...holder.content.querySelectorAll("tr")].filter(
        (row) => !rows.querySelector(`tr[data-id="${CSS.escape(row.dataset.id)}"]`),
      );
      for (const row of fresh) row.classList.add("fresh");
      waiting = [...fresh, ...waiting];
      dropped += Math.max(0, waiting.length - WAITING_MAX);
      waiting = waiting.slice(0, WAITING_MAX);
    }
    if (reading()) say_waiting();
    else release();
  }

  function set(live) {
    button.setAttribute("aria-pressed", String(live));
    const url = new URL(location.href);
    if (live) url.searchParams.set("live", "1");
    else url.searchParams.delete("live");
    history.replaceState(history.state, "", url);
    source?.close();
    source = null;
    if (!live) return release();
    source = new EventSource(button.dataset.url);
    source.addEventListener("batch", came);
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) {
        set(false);
        say("Live has ended: the console does not take another tail");
      }
    });
  }

  list.addEventListener("pointerenter", () => (over = true));
  list.addEventListener("pointerleave", () => {
    over = false;
    if (!reading()) release();
  });
  addEventListener("scroll", () => reading() || release(), { passive: true });
  addEventListener("pagehide", () => source?.close());
  button.hidden = false;
  button.addEventListener("click", () => set(!source));
  if (new URL(location.href).searchParams.has("live")) set(true);
}
