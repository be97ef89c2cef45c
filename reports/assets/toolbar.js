"use strict";
/* Search, filters, columns and export above the list. It reads the state and asks for another. */

cryoverdict.toolbar = ({ container, page, rows, change, exportTable }) => {
  const { element, number, unitSign } = cryoverdict;
  const count = (outcome) => rows.outcome.filter((k) => page.outcomes[k] === outcome).length;
  const LABELS = { "": "All", keep: "Kept", reject: "Rejected", error: "Error" };
  const grades = [...new Set(rows.grade.filter((grade) => grade !== null))].sort();

  const search = element("input", { type: "search", id: "search", placeholder: "Search names and reasons", "aria-label": "Search", oninput: () => change({ q: search.value }) });
  const outcomes = ["", ...page.outcomes].map((outcome) =>
    element("button", { type: "button", "data-outcome": outcome, onclick: () => change({ outcome }) },
      LABELS[outcome] || outcome, element("span", { class: "n", text: number(outcome ? count(outcome) : rows.outcome.length) })));

  function choice(label, names, key) {
    const made = element("select", { "aria-label": label, "data-key": key, onchange: () => change({ [key]: made.value }) },
      element("option", { value: "", text: label }), names.map((name) => element("option", { value: name, text: name })));
    return names.length ? made : null;
  }
  const choices = [choice("Any defect", page.defects, "defect"), choice("Any grade", grades, "grade")].filter((made) => made);
  const review = element("input", { type: "checkbox", onchange: () => change({ review: review.checked }) });

  const described = page.features.filter((feature) => feature.quantiles);
  const label = (feature) => (unitSign(feature.unit) ? `${feature.name} (${unitSign(feature.unit)})` : feature.name);
  const feature = element("select", { "aria-label": "Measurement" }, described.map((f) => element("option", { value: f.name, text: label(f) })));
  const low = element("input", { type: "number", step: "any", placeholder: "from", "aria-label": "From" });
  const high = element("input", { type: "number", step: "any", placeholder: "to", "aria-label": "To" });
  let state = null;

  function setRange(range) {
    change({ ranges: [...state.ranges.filter((other) => other.feature !== range.feature), range] });
  }
  const bound = (input) => (input.value === "" ? null : Number(input.value));
  const rangeForm = element("form", { class: "popover", onsubmit: (event) => {
    event.preventDefault();
    if (feature.value && (bound(low) !== null || bound(high) !== null)) setRange({ feature: feature.value, low: bound(low), high: bound(high) });
    rangeMenu.open = false;
  } }, feature, low, high, element("button", { text: "Filter" }));
  const rangeMenu = element("details", { class: "menu" }, element("summary", { text: "Range" }), rangeForm);

  const boxes = described.map((f) => element("input", { type: "checkbox", value: f.name, onchange: () => change({ columns: boxes.filter((box) => box.checked).map((box) => box.value) }) }));
  const columnMenu = element("details", { class: "menu" }, element("summary", { text: "Columns" }),
    element("div", { class: "popover columns" }, described.map((f, k) => element("label", { title: f.meaning }, boxes[k], ` ${label(f)}`))));

  const layouts = ["table", "gallery"].map((layout) =>
    element("button", { type: "button", "data-layout": layout, text: layout === "table" ? "List" : "Gallery", onclick: () => change({ layout }) }));
  const shown = element("output", { id: "shown", "aria-live": "polite" });
  const chips = element("span", { class: "chips" });

  container.append(
    element("div", { class: "tools" }, search, element("span", { class: "segments", role: "group", "aria-label": "Outcome" }, outcomes), choices,
      element("label", { class: "check" }, review, " review"), rangeMenu),
    element("div", { class: "found" }, shown, chips, element("span", { class: "grow" }),
      element("span", { class: "segments", role: "group", "aria-label": "Layout" }, layouts), columnMenu,
      element("button", { type: "button", id: "export", text: "Export CSV", title: "The rows and columns shown, as a table", onclick: exportTable })));

  // What sticks below the tool bar must know its height, which grows when it wraps.
  new ResizeObserver(() => document.documentElement.style.setProperty("--toolbar", `${container.offsetHeight}px`)).observe(container);

  function chip(text, without) {
    return element("button", { type: "button", class: "chip", title: "Remove this filter", onclick: () => change(without) }, text, element("span", { "aria-hidden": "true", text: " ×" }));
  }

  function rangeText({ feature: name, low: from, high: to }) {
    if (from === null) return `${name} ≤ ${number(to)}`;
    return to === null ? `${name} ≥ ${number(from)}` : `${number(from)} ≤ ${name} ≤ ${number(to)}`;
  }

  document.addEventListener("pointerdown", (event) => {
    for (const menu of [rangeMenu, columnMenu]) if (!menu.contains(event.target)) menu.open = false;
  });

  return {
    search,
    setRange,
    show(next, found, columns) {
      state = next;
      if (search.value !== state.q) search.value = state.q;
      for (const button of outcomes) button.setAttribute("aria-pressed", button.dataset.outcome === state.outcome);
      for (const button of layouts) button.setAttribute("aria-pressed", button.dataset.layout === state.layout);
      for (const made of choices) made.value = state[made.dataset.key];
      review.checked = state.review;
      for (const box of boxes) box.checked = columns.includes(box.value);
      const all = rows.subject.length;
      shown.textContent = found === all ? `${number(all)} micrographs` : `${number(found)} of ${number(all)} micrographs`;
      shown.dataset.found = found;
      const made = state.ranges.map((range) => chip(rangeText(range), { ranges: state.ranges.filter((other) => other !== range) }));
      if (state.rule) made.unshift(chip(`rule ${state.rule}`, { rule: "" }));
      if (state.defect) made.unshift(chip(state.defect, { defect: "" }));
      if (state.grade) made.unshift(chip(state.grade, { grade: "" }));
      if (state.q) made.unshift(chip(`“${state.q}”`, { q: "" }));
      const filtered = made.length || state.outcome || state.review;
      if (filtered) made.push(element("button", { type: "button", class: "link", text: "Show all", onclick: () => change({ outcome: "", defect: "", grade: "", rule: "", q: "", review: false, ranges: [] }) }));
      chips.replaceChildren(...made);
    },
  };
};
