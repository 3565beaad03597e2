// What scripts add to pages that can be read without them. Each module takes what it knows in a root.
import { enhanceBrush } from "./brush.js";
import { enhanceCharts } from "./chart.js";
import { enhanceLine } from "./complete.js";
import { enhanceCopy, say, shareLink } from "./copy.js";
import { enhanceDrafts } from "./drafts.js";
import { enhanceKeys } from "./keys.js";
import { enhanceMenus } from "./menus.js";
import { enhanceTail } from "./tail.js";
import { enhanceTimes } from "./times.js";
import { enhanceForms } from "./forms.js";
import { enhanceWhole } from "./whole.js";

function enhance(root) {
  enhanceTimes(root);
  enhanceCopy(root);
}

enhance(document);
enhanceWhole();
enhanceMenus();
enhanceLine();
enhanceBrush();
enhanceCharts();
enhanceTail(enhance, say);
enhanceKeys();
enhanceDrafts(); // before the pattern is tried
enhanceForms(enhance);
// What a form has answered is not done again when the page is loaded again: its URL is another page's.
const at = document.querySelector("main[data-at]")?.dataset.at;
if (at) history.replaceState(history.state, "", at);
for (const button of document.querySelectorAll("[data-does=share]")) {
  button.hidden = false;
  button.addEventListener("click", shareLink);
}
