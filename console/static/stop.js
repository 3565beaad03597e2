// Loaded while the page still comes: a search that looks on can be stopped, and says that it was.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-does=stop]")) return;
  window.stop();
  const row = event.target.closest("tr");
  row.firstElementChild.textContent = "Stopped. What was found until then is shown.";
});
