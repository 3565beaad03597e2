// A stretch of the bars that is drawn over becomes the time range.

// The moment at a place from 0 to 1: bars have one width, though the first and last may be cut short.
function momentAt(place, box) {
  const bars = [...box.querySelectorAll(".bars [data-from]")].map((each) => [Number(each.dataset.from), Number(each.dataset.to)]);
  const length = Math.max(...bars.map(([from, to]) => to - from));
  const number = Math.min(Math.floor(place * bars.length), bars.length - 1);
  const [from, to] = bars[number];
  const within = (place * bars.length - number) * length;
  const moment = number === bars.length - 1 ? from + within : to - length + within;
  return new Date(Math.min(Math.max(moment, from), to)).toISOString();
}

export function enhanceBrush() {
  const box = document.querySelector("[data-timeline]");
  if (!box?.querySelector(".bars [data-from]")) return;
  const mark = document.createElement("div");
  mark.className = "brush";
  mark.hidden = true;
  box.append(mark);
  let start = null;
  const place = (event) => {
    const edge = box.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - edge.left) / edge.width, 0), 1);
  };
  const draw = (a, b) => {
    mark.style.setProperty("--from", Math.min(a, b));
    mark.style.setProperty("--to", Math.max(a, b));
    mark.hidden = Math.abs(a - b) < 0.005;
  };
  box.addEventListener("dragstart", (event) => event.preventDefault());
  box.addEventListener("pointerdown", (event) => {
    if (event.button === 0) start = place(event);
  });
  addEventListener("pointermove", (event) => {
    if (start === null) return;
    draw(start, place(event));
    getSelection().removeAllRanges();
  });
  addEventListener("pointerup", (event) => {
    if (start === null) return;
    const [begin, end] = [start, place(event)].sort((a, b) => a - b);
    start = null;
    if (mark.hidden) return;
    const url = new URL(location.href);
    for (const name of ["range", "cursor", "event", "live"]) url.searchParams.delete(name);
    url.searchParams.set("from", momentAt(begin, box));
    url.searchParams.set("to", momentAt(end, box));
    location.assign(url);
  });
  box.addEventListener("click", (event) => mark.hidden || event.preventDefault(), true);
}
