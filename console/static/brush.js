// A stretch of the bars that is drawn over becomes the time range.
export function enhanceBrush() {
  const box = document.querySelector("[data-timeline]");
  if (!box) return;
  const [from, to] = [box.dataset.from, box.dataset.to].map((each) => new Date(each).getTime());
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
    url.searchParams.set("from", new Date(from + begin * (to - from)).toISOString());
    url.searchParams.set("to", new Date(from + end * (to - from)).toISOString());
    location.assign(url);
  });
  box.addEventListener("click", (event) => mark.hidden || event.preventDefault(), true);
}
