// The search line offers fields and their values (ARIA: a combobox with a list).
export function enhanceLine() {
  const line = document.querySelector("[data-completions]");
  if (!line) return;
  const fields = JSON.parse(line.dataset.completions);
  const list = document.createElement("ul");
  list.className = "options";
  list.id = "options";
  list.role = "listbox";
  list.ariaLabel = "Completions";
  list.hidden = true;
  line.parentElement.append(list);
  line.setAttribute("role", "combobox");
  line.setAttribute("aria-controls", "options");
  line.setAttribute("aria-autocomplete", "list");
  line.setAttribute("aria-expanded", "false");
  let at = -1;
  let asked;

  const word = () => line.value.slice(0, line.selectionStart).match(/(?:[^\s"]|"[^"]*"?)*$/)[0];

  // Of a field the values that begin as typed, counted by the server; null while a field is typed.
  async function values(name, typed) {
    asked?.abort();
    asked = new AbortController();
    const field = fields.find((each) => each.name === `${name}:`);
    const known = (field?.values ?? []).filter((each) => each.startsWith(typed.toUpperCase()));
    const start = line.selectionStart - word().length;
    const rest = line.value.slice(0, start) + line.value.slice(line.selectionStart);
    const url = new URL(line.dataset.values, location.href);
    for (const [key, text] of [["field", name], ["prefix", typed], ["q", rest.trim()]]) url.searchParams.set(key, text);
    try {
      const answer = await fetch(url, { signal: asked.signal });
      const counted = answer.ok ? await answer.json() : [];
      const rare = known.filter((value) => !counted.some((each) => each.value === value));
      return [...counted, ...rare.map((value) => ({ value }))];
    } catch (error) {
      return error.name === "AbortError" ? null : known.map((value) => ({ value }));
    }
  }

  const quoted = (text) => (/^[^\s,*"\\]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`);

  async function offers() {
    const typed = word();
    const [, no, name, value] = typed.match(/^(-?)([A-Za-z_][^\s:"]*):(.*)$/) ?? [null, "", null, ""];
    const bare = typed.replace(/^-/, "");
    if (name !== null) {
      const before = value.slice(0, value.lastIndexOf(",") + 1);
      const found = await values(name, value.slice(before.length).replaceAll('"', ""));
      return found?.map((each) => ({
        text: `${no}${name}:${before}${quoted(each.value)}`,
        shown: each.value,
        about: each.count?.toLocaleString("en") ?? "",
        whole: true,
      }));
    }
    if (bare.startsWith("attr.")) {
      const found = await values("attr.", bare.slice(5));
      return found?.map((each) => ({ text: `${typed.slice(0, typed.length - bare.length)}attr.${each.value}:`, about: each.count?.toLocaleString("en") ?? "" }));
    }
    return fields
      .filter((field) => field.name.startsWith(bare))
      .map((field) => ({ text: typed.slice(0, typed.length - bare.length) + field.name, about: field.about }));
  }

  function shut() {
    list.hidden = true;
    at = -1;
    line.setAttribute("aria-expanded", "false");
    line.removeAttribute("aria-activedescendant");
  }

  async function show() {
    const found = await offers();
    if (!found || document.activeElement !== line) return;
    list.replaceChildren(
      ...found.map((offer, number) => {
        const item = document.createElement("li");
        item.id = `option-${number}`;
        item.role = "option";
        item.ariaSelected = "false";
        item.append(offer.shown ?? offer.text);
        const about = document.createElement("span");
        about.className = "about";
        about.textContent = offer.about;
        item.append(about);
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(offer);
        });
        return item;
      }),
    );
    at = -1;
    list.hidden = !found.length;
    line.setAttribute("aria-expanded", String(!!found.length));
    list.offers = found;
  }

  function take(offer) {
    const end = line.selectionStart;
    const start = end - word().length;
    const text = offer.text + (offer.whole ? " " : "");
    line.setRangeText(text, start, end, "end");
    if (offer.whole) shut();
    else show();
  }

  function move(step) {
    const items = [...list.children];
    if (!items.length) return;
    items[at]?.setAttribute("aria-selected", "false");
    at = (at + step + items.length) % items.length;
    items[at].setAttribute("aria-selected", "true");
    items[at].scrollIntoView({ block: "nearest" });
    line.setAttribute("aria-activedescendant", items[at].id);
  }

  line.addEventListener("input", show);
  line.addEventListener("blur", shut);
  line.addEventListener("click", () => line.value || show());
  line.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) show();
      else move(event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0 && !list.hidden) {
      take(list.offers[at]);
      event.preventDefault();
    } else if (event.key === "Escape" && !list.hidden) {
      shut();
      event.preventDefault();
      event.stopPropagation();
    }
  });
}
