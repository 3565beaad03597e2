// A page that was cut on its way, by a restart behind it, says so: what it waits for will not come.
export function enhanceWhole() {
  if (document.querySelector("[data-whole]") || "stopped" in document.documentElement.dataset) return;
  const said = document.createElement("p");
  said.className = "notice wrong";
  said.setAttribute("role", "alert");
  const again = document.createElement("a");
  again.href = location.href;
  again.textContent = "Load it again";
  said.append("This page was cut before its end. ", again);
  document.getElementById("main")?.prepend(said);
  for (const each of document.querySelectorAll(".spinner")) each.remove();
}
