"use strict";
/* The gallery of picked micrographs: only what is on the screen exists, picks are drawn over each
   picture when its part of the data has come, and a click shows one micrograph large. */

cryoverdict.page = (() => {
  const { element, number, signed, load } = cryoverdict;
  const LINE = 268, TALL = 206, LEAST = 210;
  const PICK = "#56b4e9", GONE = "#e8743b";
  const page = cryoverdict.given("page");
  const rows = cryoverdict.given("rows");
  const all = rows.subject.map((_, i) => i);
  const state = { search: "", show: "all", order: "list", picks: true, dropped: true };
  const words = Object.fromEntries(page.reasons.map((r) => [r.name, r.words]));
  const asked = new Set();
  let shown = all;
  let list = null;

  const ORDERS = {
    list: ["as listed", (i) => i],
    most: ["most picks", (i) => -(rows.count[i] ?? -1)],
    fewest: ["fewest picks", (i) => rows.count[i] ?? Infinity],
    low: ["lowest scores", (i) => rows.score[i] ?? Infinity],
    dropped: ["most dropped", (i) => -rows.dropped[i]],
  };
  const SHOWS = {
    all: ["all", () => true],
    keep: ["kept", (i) => rows.outcome[i] === "keep"],
    reject: ["rejected", (i) => rows.outcome[i] === "reject"],
    review: ["to look at", (i) => rows.review[i] === 1],
    empty: ["without a pick", (i) => rows.count[i] === 0],
    error: ["unreadable", (i) => rows.outcome[i] === "error"],
  };

  const two = (k) => String(k).padStart(2, "0");
  const picture = (i) => `pictures/${String(Math.floor(i / 100)).padStart(3, "0")}/${two(i % 100)}.jpg`;

  /* Promise the picks of one micrograph; null where there are none to show. */
  async function detail(i) {
    const name = `picks_${String(Math.floor(i / page.chunk)).padStart(4, "0")}`;
    const wait = load(name);
    asked.add(wait);
    try {
      return (await wait)[i % page.chunk];
    } finally {
      asked.delete(wait);
    }
  }

  /* Draw picks and what was dropped over a picture of `scale` screen pixels a micrograph pixel. */
  function draw(canvas, found, scale) {
    const sharp = Math.min(2, devicePixelRatio || 1);
    const wide = parseFloat(canvas.style.width), high = parseFloat(canvas.style.height);
    canvas.width = Math.round(wide * sharp);
    canvas.height = Math.round(high * sharp);
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    if (!found) return;
    pen.lineWidth = scale > 0.2 ? 1.6 : 1;
    const known = found.picks.map((p) => p[3]).filter((d) => d !== null);
    const usual = known.length ? known.sort((a, b) => a - b)[known.length >> 1] : found.usual ?? 12 / scale;
    const ring = (x, y, d) => {
      pen.moveTo((x + 0.5) * scale + Math.max(1.5, d * scale / 2), (y + 0.5) * scale);
      pen.arc((x + 0.5) * scale, (y + 0.5) * scale, Math.max(1.5, d * scale / 2), 0, 2 * Math.PI);
    };
    if (state.dropped) {
      pen.strokeStyle = GONE;
      pen.beginPath();
      for (const places of Object.values(found.dropped)) {
        for (let k = 0; k < places.length; k += 2) ring(places[k], places[k + 1], usual * 0.6);
      }
      pen.stroke();
    }
    if (state.picks) {
      pen.strokeStyle = PICK;
      pen.beginPath();
      for (const [x, y, , d] of found.picks) ring(x, y, d ?? usual);
      pen.stroke();
    }
  }

  function said(i) {
    if (rows.outcome[i] === "error") return rows.reason[i];
    if (rows.count[i] === null) return rows.reason[i] || "not picked";
    const gone = rows.dropped[i] ? `, ${number(rows.dropped[i])} dropped` : "";
    const score = rows.score[i] === null ? "" : `, score ${number(rows.score[i], 3)}`;
    return `${gone}${score}`;
  }

  function badges(i) {
    const made = [];
    if (rows.outcome[i] === "reject") made.push(element("span", { class: "badge reject", text: rows.reason[i] || "rejected" }));
    if (rows.outcome[i] === "error") made.push(element("span", { class: "badge error", text: "unreadable" }));
    if (rows.review[i]) made.push(element("span", { class: "badge review", text: "look" }));
    return made;
  }

  function tile(i) {
    const frame = element("span", { class: "frame" });
    const counted = rows.count[i] === null ? null : element("b", { text: `${number(rows.count[i])} picks` });
    const made = element("button", { type: "button", class: "tile", title: rows.subject[i], "data-row": i, onclick: () => zoom(i) },
      frame,
      element("span", { class: "name", text: rows.subject[i].split("/").pop() }),
      element("span", { class: "said" }, ...badges(i), counted, said(i)));
    const shape = rows.shape[i];
    if (shape) {
      const [tall, across] = shape;
      const room = tileWidth();
      const scale = Math.min(room / across, TALL / tall);
      const size = { width: `${across * scale}px`, height: `${tall * scale}px` };
      const canvas = element("canvas", { style: size });
      frame.append(element("img", { src: picture(i), alt: "", style: size, decoding: "async" }), canvas);
      detail(i).then((found) => { draw(canvas, found, scale); }).catch(() => {});
    }
    return made;
  }

  const host = () => document.getElementById("gallery");
  const perLine = () => Math.max(1, Math.floor((host().clientWidth + 12) / (LEAST + 12)));
  const tileWidth = () => (host().clientWidth - 12 * (perLine() - 1)) / perLine();

  function refresh(anew = true) {
    const wanted = state.search.toLowerCase();
    const key = ORDERS[state.order][1];
    shown = all.filter((i) => SHOWS[state.show][1](i) && rows.subject[i].toLowerCase().includes(wanted));
    if (state.order !== "list") shown = [...shown].sort((a, b) => key(a) - key(b) || a - b);
    host().style.setProperty("--tiles", perLine());
    list.show(shown, anew);
    document.querySelector("#gallery-tools .shown").textContent = `${number(shown.length)} of ${number(all.length)} micrographs`;
  }

  function choice(name, options, label) {
    const made = element("select", { "aria-label": label, id: `choose-${name}`, onchange: () => { state[name] = made.value; refresh(); } },
      ...Object.entries(options).map(([value, [text]]) => element("option", { value, text })));
    return made;
  }

  function toggle(name, text) {
    const box = element("input", { type: "checkbox", checked: true, id: `toggle-${name}`, onchange: () => { state[name] = box.checked; refresh(); redraw(); } });
    return element("label", {}, box, ` ${text}`);
  }

  /* One micrograph, large. */
  let large = null;
  let redraw = () => {};

  async function zoom(i) {
    const dialog = document.getElementById("zoom");
    if (!rows.shape[i]) return;
    large = i;
    const found = await detail(i);
    if (large !== i) return;
    const [tall, across] = rows.shape[i];
    const img = element("img", { src: picture(i), alt: `micrograph ${rows.subject[i]}` });
    const canvas = element("canvas");
    const sheet = element("div", { class: "sheet-of-one" }, img, canvas);
    const field = element("div", { class: "field" }, sheet);
    let factor = 1;
    redraw = () => {
      const fit = Math.min(field.clientWidth / across, field.clientHeight / tall);
      const scale = fit * factor;
      const size = { width: `${across * scale}px`, height: `${tall * scale}px` };
      for (const part of [sheet, img, canvas]) Object.assign(part.style, size);
      draw(canvas, found, scale);
    };
    const closer = (by) => {
      const x = (field.scrollLeft + field.clientWidth / 2) / field.scrollWidth;
      const y = (field.scrollTop + field.clientHeight / 2) / field.scrollHeight;
      factor = Math.min(6, Math.max(1, factor * by));
      redraw();
      field.scrollLeft = x * field.scrollWidth - field.clientWidth / 2;
      field.scrollTop = y * field.scrollHeight - field.clientHeight / 2;
    };
    field.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      closer(event.deltaY < 0 ? 1.25 : 0.8);
    }, { passive: false });
    const button = (text, act, id) => element("button", { type: "button", text, id, onclick: act });
    const lines = [["picks", rows.count[i]], ...Object.entries(found.dropped).map(([name, places]) => [words[name] || name, places.length / 2])];
    const decision = found.decision;
    const facts = element("div", { class: "facts-of-one" },
      element("h2", { text: rows.subject[i] }),
      element("div", { class: "buttons" }, button("−", () => closer(0.8)), button("+", () => closer(1.25), "closer"),
        button("‹", () => step(-1), "before"), button("›", () => step(1), "after"), button("Close", () => dialog.close(), "close")),
      element("div", {}, ...badges(i)),
      ...lines.map(([name, n]) => element("div", { class: "line-of-two" }, element("span", { text: name }), element("b", { text: number(n) }))),
      found.notes.length ? element("ul", { class: "notes" }, ...found.notes.map((note) => element("li", { text: note }))) : null,
      decision && element("h3", { text: "Second look" }),
      decision && element("p", { class: "aside", text: told(decision) }),
      decision && element("ul", { class: "evidence" }, ...decision.evidence.map((e) => element("li", {}, element("b", { text: signed(e.log_odds) }), ` ${e.text} `, element("code", { text: e.name })))));
    dialog.replaceChildren(element("div", { class: "inside" }, field, facts));
    if (!dialog.open) dialog.showModal();
    redraw();
  }

  function told(decision) {
    const keep = `the probability of keeping is ${cryoverdict.probability(decision.probability)}`;
    const first = `The first decision stands for ${signed(decision.prior)} log-odds`;
    return decision.evidence.length ? `${first}; with what follows, ${keep}.` : `${first}; the picks add nothing, and ${keep}.`;
  }

  function step(by) {
    const place = shown.indexOf(large) + by;
    for (let k = place; k >= 0 && k < shown.length; k += by) {
      if (rows.shape[shown[k]]) return zoom(shown[k]);
    }
    return undefined;
  }

  function start() {
    if (!host()) return;
    const tools = document.getElementById("gallery-tools");
    tools.append(
      element("input", { type: "search", placeholder: "Search names", "aria-label": "Search names", id: "search", oninput: (event) => { state.search = event.target.value; refresh(); } }),
      choice("show", SHOWS, "Which micrographs"), choice("order", ORDERS, "Order"),
      toggle("picks", "picks"), toggle("dropped", "dropped"), element("span", { class: "shown" }));
    list = cryoverdict.virtualList({ host: host(), spacer: "div", lineHeight: LINE, perLine, create: tile });
    refresh();
    let before = host().clientWidth;
    addEventListener("resize", () => {
      redraw();
      if (host().clientWidth !== before) { before = host().clientWidth; refresh(); }
    });
    addEventListener("keydown", (event) => {
      if (!document.getElementById("zoom").open) return;
      if (event.key === "ArrowRight") step(1);
      if (event.key === "ArrowLeft") step(-1);
    });
  }

  const opened = Promise.resolve().then(start);
  return {
    opened,
    /* Promise that everything asked for has come. */
    idle: () => Promise.allSettled([...asked]),
    /* The subjects of the list as filtered and sorted. */
    shown: () => shown.map((i) => rows.subject[i]),
  };
})();
