"use strict";
/* The sheet of class averages: what is shown, in which order, and one class in full. */

(() => {
  const { element, number, quantity, probability } = cryoverdict;
  const page = cryoverdict.given("page");
  const classes = cryoverdict.given("classes");
  const rules = new Map(page.rules.map((rule) => [rule.id, rule]));
  const sheet = document.getElementById("sheet");
  const host = document.getElementById("detail");
  const tiles = [...sheet.querySelectorAll(".tile")];
  const order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const state = { outcome: "", defect: "", order: "probability", place: null };

  const KEYS = {
    probability: (tile) => -Number(tile.dataset.probability),
    members: (tile) => -Number(tile.dataset.members),
    number: (tile) => Number(tile.dataset.number),
  };

  function passes(tile) {
    if (state.outcome === "review" && !tile.classList.contains("review")) return false;
    if (state.outcome && state.outcome !== "review" && tile.dataset.outcome !== state.outcome) return false;
    return !state.defect || tile.dataset.defects.split(" ").includes(state.defect);
  }

  /* The tiles shown, in their order. */
  function visible() {
    return [...sheet.children].filter((item) => !item.hidden).map((item) => item.firstElementChild);
  }

  function show() {
    const key = KEYS[state.order];
    const sorted = [...tiles].sort((a, b) => key(a) - key(b) || Number(a.dataset.place) - Number(b.dataset.place));
    for (const tile of sorted) {
      tile.parentElement.hidden = !passes(tile);
      tile.classList.toggle("chosen", Number(tile.dataset.place) === state.place && state.place !== null);
      sheet.append(tile.parentElement);
    }
    for (const button of document.querySelectorAll(".sheet-tools [data-outcome]")) button.setAttribute("aria-pressed", button.dataset.outcome === state.outcome);
    for (const button of document.querySelectorAll("[data-defect]")) button.setAttribute("aria-pressed", button.dataset.defect === state.defect);
    const count = visible().length;
    shown.textContent = count === tiles.length ? `${number(count)} classes` : `${number(count)} of ${number(tiles.length)} classes`;
    shown.dataset.shown = count;
    order.value = state.order;
  }

  function measured(detail) {
    const lines = page.features.map((feature, j) => [feature, detail.values[j], detail.absent[j]]);
    const present = lines.filter(([, value]) => value !== null && value !== undefined);
    const absent = lines.filter(([, , why]) => why !== undefined);
    return element("section", { class: "measurements" },
      element("h3", { text: "Measurements" }),
      element("table", {}, element("tbody", {}, present.map(([feature, value]) => element("tr", {},
        element("th", { scope: "row", title: feature.meaning || null, text: feature.name }),
        element("td", { class: "number", text: quantity(value, feature.unit) }))))),
      absent.length ? element("details", {}, element("summary", { text: `${absent.length} absent, and why` }),
        element("dl", { class: "absent" }, absent.map(([feature, , why]) => element("div", {}, element("dt", { text: feature.name }), element("dd", { text: why }))))) : null);
  }

  function couldNotSay(detail) {
    if (!detail.could_not_say.length) return null;
    return element("section", { class: "could-not-say" },
      element("h3", { text: `Could not say (${detail.could_not_say.length})` }),
      element("ul", {}, detail.could_not_say.map((item) => element("li", {},
        element("b", { text: rules.get(item.rule)?.title || item.rule }), ` needs ${item.missing.join(", ")}`))));
  }

  function open(place) {
    state.place = place;
    const detail = classes[place];
    const facts = [detail.members === null ? null : `${number(detail.members)} particles`, detail.grade ? `grade ${detail.grade}` : null];
    host.replaceChildren(
      element("header", { class: "detail-head" },
        element("div", {}, element("h2", { text: `Class ${detail.number}` }), element("p", { class: "folder", text: detail.subject })),
        element("div", { class: "steps" },
          element("button", { type: "button", title: "Previous (←)", "aria-label": "Previous", text: "←", onclick: () => step(-1) }),
          element("button", { type: "button", title: "Next (→)", "aria-label": "Next", text: "→", onclick: () => step(1) }),
          element("button", { type: "button", title: "Close (Esc)", "aria-label": "Close", text: "×", onclick: close }))),
      element("section", { class: "verdict-line" },
        element("b", { class: detail.outcome, text: detail.outcome }),
        element("span", { class: "p" }, "P(good) ", element("b", { text: probability(detail.favourable_probability) })),
        facts.filter((fact) => fact).map((fact) => element("span", { class: "p", text: fact })),
        detail.defects.map((d) => element("span", { class: "defect-tag" }, d.name, element("b", { text: ` ${probability(d.probability)}` })))),
      element("img", { class: "average", src: `pictures/${String(place).padStart(4, "0")}.png`, alt: `class ${detail.number}` }),
      detail.evidence.filter((e) => e.source === "gate").map((e) => element("p", { class: "callout gate" }, element("b", { text: "Decided alone. " }), e.text)),
      detail.review ? element("p", { class: "callout review" }, element("b", { text: "Flagged for review. " }), detail.review_reasons.join("; ")) : "",
      detail.price ? element("p", { class: "callout" }, element("b", { text: "What its rejection takes. " }), detail.price) : "",
      detail.counterfactual ? element("p", { class: "callout other" }, element("b", { text: "What would change it. " }), detail.counterfactual.text) : "",
      cryoverdict.evidence.section(detail, { words: { for: "good", against: "junk" }, titleOf: (name) => rules.get(name)?.title || "" }),
      couldNotSay(detail) || "",
      measured(detail));
    host.hidden = false;
    host.scrollTop = 0;
    document.body.classList.add("has-detail");
    show();
  }

  function close() {
    state.place = null;
    host.hidden = true;
    document.body.classList.remove("has-detail");
    show();
  }

  function step(by) {
    const list = visible().map((tile) => Number(tile.dataset.place));
    if (!list.length) return;
    const at = list.indexOf(state.place);
    open(list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))]);
  }

  for (const tile of tiles) tile.addEventListener("click", () => open(Number(tile.dataset.place)));
  for (const button of document.querySelectorAll(".sheet-tools [data-outcome]")) {
    button.addEventListener("click", () => { state.outcome = state.outcome === button.dataset.outcome ? "" : button.dataset.outcome; show(); });
  }
  for (const button of document.querySelectorAll("[data-defect]")) {
    button.addEventListener("click", () => { state.defect = state.defect === button.dataset.defect ? "" : button.dataset.defect; show(); });
  }
  order.addEventListener("change", () => { state.order = order.value; show(); });
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "Escape") close();
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "t") cryoverdict.theme.toggle();
  });
  show();
  cryoverdict.classes = { open, close, step, state: () => ({ ...state }), shown: () => visible().map((tile) => Number(tile.dataset.number)) };
})();
