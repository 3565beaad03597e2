// What was typed is there again when one comes back: no cache may keep the page, so the tab keeps the form.
const HIDDEN = ["csrf"];

export function enhanceDrafts() {
  const form = document.querySelector("form[data-try]");
  if (!form) return;
  const session = document.querySelector("meta[name=csrf]").content; // another session's are not found
  const key = `draft ${session} ${location.pathname}`;
  const kept = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  if (kept && performance.getEntriesByType("navigation")[0]?.type === "back_forward") restore(form, new Map(JSON.parse(kept)));
  addEventListener("pagehide", () => {
    const typed = [...new FormData(form)].filter(([name]) => !HIDDEN.includes(name));
    sessionStorage.setItem(key, JSON.stringify(typed));
  });
}

function restore(form, typed) {
  for (const each of form.elements) {
    if (each.type === "checkbox") each.checked = typed.has(each.name);
    else if (typed.has(each.name) && each.type !== "submit") each.value = typed.get(each.name);
  }
}
