// Times in the zone of whoever looks: the server knows it from a cookie, of the visit before at least.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const told = document.documentElement.dataset.zone;

const two = (number) => String(number).padStart(2, "0");

export function local(moment, form) {
  const clock = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
  const day = `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
  const ms = String(moment.getMilliseconds()).padStart(3, "0");
  if (form === "day") return day.slice(5);
  if (form === "month") return day.slice(0, 7);
  if (form === "hour") return clock;
  if (form === "minute") return `${day} ${clock}`;
  const second = `${clock}:${two(moment.getSeconds())}`;
  if (form === "second") return `${day} ${second}`;
  if (form === "list") return `${day.slice(5)} ${second}.${ms}`;
  return form === "clock" ? `${second}.${ms}` : `${day} ${second}.${ms}`;
}

function rewrite(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const form = each.dataset.form;
    if (form && form !== "ago") each.textContent = local(new Date(each.dateTime), form);
  }
  for (const each of root.querySelectorAll(".axis text")) {
    const form = each.dataset.form === "clock" ? "hour" : each.dataset.form;
    each.textContent = local(new Date(Number(each.dataset.at)), form);
  }
  for (const each of root.querySelectorAll(".bars [data-from]")) {
    const title = each.querySelector("title");
    const [from, to] = [each.dataset.from, each.dataset.to].map((at) => local(new Date(Number(at)), "minute"));
    title.textContent = `${from} to ${to}${title.textContent.slice(title.textContent.indexOf(": "))}`;
    if (each.hasAttribute("aria-label")) each.setAttribute("aria-label", title.textContent);
  }
}

// The fields of a range are UTC for a browser without scripts, and local with one.
function localInputs(root) {
  for (const form of root.querySelectorAll("form[data-range]")) {
    for (const input of form.querySelectorAll("input[type=datetime-local]")) {
      const moment = new Date(`${input.value}Z`);
      input.value = local(moment, "second").replace(" ", "T");
    }
    for (const label of form.querySelectorAll(".zone")) label.textContent = "local time";
    form.addEventListener("formdata", (event) => {
      for (const name of ["from", "to"]) {
        event.formData.set(name, new Date(event.formData.get(name)).toISOString());
      }
    });
  }
}

export function enhanceTimes(root) {
  if (zone && zone !== told) {
    document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
    rewrite(root);
  }
  localInputs(root);
}
