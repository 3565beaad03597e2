// Loaded while the page still comes: a search that looks on can be stopped, and says that it was. The other
// scripts, which would have come after it, are loaded then. Its button is shown once it does something.
document.documentElement.dataset.canStop = "";
document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-does=stop]")) return;
  window.stop();
  document.documentElement.dataset.stopped = "";
  const cell = [...document.querySelectorAll("tr.progress td")].at(-1);
  const on = cell.querySelector("[data-on]");
  if (on) on.hidden = false;
  const said = document.createElement("p");
  said.className = "ended";
  const far = cell.querySelector("[data-so-far]");
  said.append(...(far ? ["Stopped: ", far] : ["Stopped. What was found until then is shown."]), ...(on ? [on] : []));
  cell.replaceChildren(said);
  cell.parentElement.className = "end";
  await import("./console.js");
});
