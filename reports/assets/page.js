"use strict";
/* The page put together: its state, what changes it, and what is drawn from it. */

(() => {
  const HEAD_PX = 44;
  const page = cryoverdict.given("page");
  const rows = cryoverdict.given("rows");
  const rowOf = new Map(rows.subject.map((subject, i) => [subject, i]));
  const selection = cryoverdict.selection(page, rows);
  const aside = document.getElementById("detail");
  const views = [...document.querySelectorAll("[data-view]")];
  const isSubject = (text) => rowOf.has(text);
  const startColumns = page.columns.map((place) => page.features[place].name);
  let state = cryoverdict.address.read(location.hash, isSubject);
  let chosen = [];
  let turn = 0;
  let work = null;

  const columns = () => (state.columns || startColumns).filter(selection.known);
  const listing = cryoverdict.listing({ container: document.getElementById("listing"), page, rows, selection, onOpen: open, onSort: (sort) => change({ sort }) });
  const toolbar = cryoverdict.toolbar({ container: document.getElementById("toolbar"), page, rows, change, exportTable });
  const detail = cryoverdict.detail({ host: aside, page, rows, listing, onClose: close, onStep: step });
  const brushes = [...document.querySelectorAll("#spread .histogram")].map((figure) => ({
    feature: figure.dataset.feature,
    paint: cryoverdict.figures.brush(figure, (range) => { change({ view: "micrographs" }); toolbar.setRange(range); }),
  }));

  async function update() {
    const mine = ++turn;
    for (const view of views) view.hidden = view.dataset.view !== state.view;
    for (const link of document.querySelectorAll("[data-view-link]")) {
      if (link.dataset.viewLink === state.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const found = await selection.select(state);
    await Promise.all(columns().map(selection.column));
    if (mine !== turn) return;
    chosen = found;
    toolbar.show(state, chosen.length, columns());
    for (const { feature, paint } of brushes) paint(state.ranges.find((range) => range.feature === feature));
    listing.show(chosen, { layout: state.layout, sort: state.sort, shownColumns: columns() });
    document.documentElement.dataset.shown = chosen.length;
    await showDetail(mine);
  }

  async function showDetail(mine) {
    const i = rowOf.get(state.subject);
    const put = i === undefined ? null : await detail.show(i, whereIs(i));
    if (mine !== turn) return;
    document.body.classList.toggle("has-detail", Boolean(put));
    aside.hidden = !put;
    if (put) put();
    else delete aside.dataset.subject;
    listing.mark(i ?? null);
    listing.redraw();
  }

  function whereIs(i) {
    const place = chosen.indexOf(i);
    return place < 0 ? "not in the list as filtered" : `${cryoverdict.number(place + 1)} of ${cryoverdict.number(chosen.length)}`;
  }

  function change(patch) {
    state = { ...state, ...patch };
    history.replaceState(null, "", cryoverdict.address.write(state));
    work = update();
    return work;
  }

  function open(i) {
    work = show(i);
    return work;
  }

  async function show(i) {
    state = { ...state, subject: rows.subject[i] };
    history.replaceState(null, "", cryoverdict.address.write(state));
    await showDetail(++turn);
    listing.reveal(i, document.getElementById("toolbar").offsetHeight + HEAD_PX, innerHeight - 8);
  }

  function close() {
    const i = rowOf.get(state.subject);
    change({ subject: "" }).then(() => {
      if (i !== undefined) document.querySelector(`[data-row="${i}"] a, button[data-row="${i}"]`)?.focus({ preventScroll: true });
    });
  }

  function step(by) {
    if (!chosen.length) return;
    const place = chosen.indexOf(rowOf.get(state.subject));
    const next = place < 0 ? 0 : Math.max(0, Math.min(chosen.length - 1, place + by));
    open(chosen[next]);
  }

  function exportTable() {
    const text = selection.table(chosen, columns());
    const link = cryoverdict.element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "micrographs.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // These work in every part of the page, the others in the list.
  const EVERYWHERE = ["t", "?"];
  const KEYS = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Escape: () => state.subject && close(),
    "/": () => toolbar.search.focus(),
    o: () => detail.toggleOverlay(),
    g: () => change({ layout: state.layout === "gallery" ? "table" : "gallery" }),
    t: () => cryoverdict.theme.toggle(),
    "?": () => document.getElementById("help").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog");
    if (typing && event.key === "Escape") event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (state.view !== "micrographs" && !EVERYWHERE.includes(event.key)) return;
    const onControl = event.target.closest("button, a, summary");
    if (event.key === "Enter" && !onControl && !state.subject && chosen.length) { event.preventDefault(); open(chosen[0]); return; }
    if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  for (const key of ["defect", "grade", "rule"]) {
    for (const button of document.querySelectorAll(`[data-filter-${key}]`)) {
      button.addEventListener("click", () => {
        const name = button.getAttribute(`data-filter-${key}`);
        change({ view: "micrographs", [key]: state[key] === name ? "" : name });
        document.getElementById("toolbar").scrollIntoView({ block: "nearest" });
      });
    }
  }
  for (const link of document.querySelectorAll("[data-view-link]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); change({ view: link.dataset.viewLink, subject: "" }); });
  }
  document.getElementById("print").addEventListener("click", () => print());
  document.getElementById("help-button").addEventListener("click", () => document.getElementById("help").showModal());
  addEventListener("hashchange", () => { state = cryoverdict.address.read(location.hash, isSubject); work = update(); });

  /* What a test or a curious reader may ask of the page. */
  cryoverdict.page = {
    state: () => state,
    shown: () => chosen.map((i) => rows.subject[i]),
    csv: () => selection.table(chosen, columns()),
    change,
    step,
    /* Kept when what was last asked of the page is drawn. */
    idle: () => work,
    /* Kept once the first list is painted; the time since the page was asked for, in ms. */
    opened: (work = update()).then(() => new Promise((painted) => {
      requestAnimationFrame(() => setTimeout(() => {
        document.documentElement.dataset.openedMs = Math.round(performance.now());
        painted(performance.now());
      }));
    })),
  };
})();
