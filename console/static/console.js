// What scripts add to pages that can be read without them. Each module takes what it knows in a root.
import { enhanceTimes } from "./times.js";
import { enhanceCopy, shareLink } from "./copy.js";
import { enhanceKeys } from "./keys.js";
import { enhanceMenus } from "./menus.js";

export function enhance(root) {
  enhanceTimes(root);
  enhanceCopy(root);
}

enhance(document);
enhanceMenus();
enhanceKeys();
for (const button of document.querySelectorAll("[data-does=share]")) {
  button.hidden = false;
  button.addEventListener("click", shareLink);
}
