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

  const word = () => line.value.slice(0, line.selectionStart).match(/(?:[^\s"]|"[^"]*"?)*$/)[0];

  function offers() {
    const typed = word();
    const [, no, name, value] = typed.match(/^(-?)([a-z_]+):(.*)$/) ?? [null, "", null, ""];
    if (name === null) {
      const bare = typed.replace(/^-/, "");
      return fields
        .filter((field) => field.name.startsWith(bare))
        .map((field) => ({ text: typed.slice(0, typed.length - bare.length) + field.name, about: field.about }));
    }
    const field = fields.find((each) => each.name === `${name}:`);
    const before = value.slice(0, value.lastIndexOf(",") + 1);
    const last = value.slice(before.length).toUpperCase();
    return (field?.values ?? [])
      .filter((each) => (each.value ?? each).startsWith(last))
      .map((each) => ({
        text: `${no}${name}:${before}${each.value ?? each}`,
        shown: each.value ?? each,
        about: each.count?.toLocaleString("en") ?? "",
        whole: true,
      }));
  }

  function shut() {
    list.hidden = true;
    at = -1;
    line.setAttribute("aria-expanded", "false");
    line.removeAttribute("aria-activedescendant");
  }

  function show() {
    const found = offers();
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
    show();
    if (offer.whole) shut();
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
