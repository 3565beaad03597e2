// What a bar stands for is said above the chart while it is pointed at or focused; it has it as a title too.
export function enhanceCharts() {
  for (const chart of document.querySelectorAll("[data-chart]")) {
    const said = chart.querySelector("output");
    const say = (event) => {
      const bar = event.target.closest?.(".bars a, .bars g");
      said.textContent = bar?.querySelector("title")?.textContent ?? "";
      said.hidden = !said.textContent;
    };
    for (const name of ["pointerover", "focusin"]) chart.addEventListener(name, say);
    for (const name of ["pointerleave", "focusout"]) chart.addEventListener(name, () => (said.hidden = true));
  }
}
