"use strict";
/* One subject in full: verdict, pictures, evidence, what could not be said, measurements. */

cryoverdict.detail = ({ host, page, rows, listing, onClose, onStep }) => {
  const { element, number, quantity, probability, unitSign } = cryoverdict;
  const KEPT_CHUNKS = 8;
  const rules = new Map(page.rules.map((rule) => [rule.id, rule]));
  const placeOf = new Map(page.features.map((feature, place) => [feature.name, place]));
  const recent = [];
  let overlay = true;

  /* The detail of a row; only the last few files stay in memory. */
  async function load(i) {
    const name = `details_${String(Math.floor(i / page.chunk)).padStart(3, "0")}`;
    const chunk = await cryoverdict.load(name);
    if (recent.includes(name)) recent.splice(recent.indexOf(name), 1);
    recent.push(name);
    while (recent.length > KEPT_CHUNKS) cryoverdict.forget(recent.shift());
    return chunk[i % page.chunk];
  }

  function header(i, where) {
    const folder = listing.folderOf(i);
    return element("header", { class: "detail-head" },
      element("div", {}, element("h2", { text: listing.nameOf(i) }), folder ? element("p", { class: "folder", text: folder }) : null),
      element("div", { class: "steps" },
        element("span", { class: "where", text: where }),
        element("button", { type: "button", title: "Previous (↑)", "aria-label": "Previous", text: "↑", onclick: () => onStep(-1) }),
        element("button", { type: "button", title: "Next (↓)", "aria-label": "Next", text: "↓", onclick: () => onStep(1) }),
        element("button", { type: "button", title: "Close (Esc)", "aria-label": "Close", text: "×", onclick: onClose })));
  }

  function verdictOf(i, detail) {
    const defects = detail.defects.map((d) => element("span", { class: "defect-tag" }, d.name, element("b", { text: ` ${probability(d.probability)}` })));
    return element("section", { class: "verdict-line" },
      listing.verdict(i),
      element("span", { class: "p" }, "P(keep) ", element("b", { text: probability(detail.favourable_probability) })),
      rows.grade[i] ? element("span", { class: "p" }, "grade ", element("b", { text: rows.grade[i] })) : null,
      defects);
  }

  function callouts(i, detail) {
    const gates = detail.evidence.filter((e) => e.source === "gate");
    const named = detail.gates.filter((name) => !gates.some((e) => e.name === name));
    return [
      ...gates.map((e) => element("p", { class: "callout gate" }, element("b", { text: "Decided alone. " }), e.text || e.name)),
      ...named.map((name) => element("p", { class: "callout gate" }, element("b", { text: "Decided alone. " }), rules.get(name)?.title || name)),
      rows.review[i] ? element("p", { class: "callout review" }, element("b", { text: "Flagged for review. " }), detail.review_reasons.join("; ")) : null,
      detail.counterfactual ? element("p", { class: "callout other" }, element("b", { text: "What would change it. " }), detail.counterfactual.text) : null,
    ];
  }

  function areaLegend(area) {
    return element("ul", { class: "legend" }, area.kinds.map((kind) =>
      element("li", {}, element("i", { class: "key", style: { background: kind.colour || "transparent" } }), `${kind.name} ${number(100 * kind.fraction, 3)} %`)));
  }

  function imageOf(i, pictures) {
    const [chunk, place] = [Math.floor(i / page.chunk), i % page.chunk];
    const stem = `pictures/${String(chunk).padStart(3, "0")}/${String(place).padStart(2, "0")}`;
    const frame = (size, src, alt, ...more) => element("div", { class: "image", style: { aspectRatio: `${size[0]} / ${size[1]}` } },
      element("img", { src, alt, width: size[0], height: size[1] }), more);
    const made = [];
    if (pictures.thumbnail) {
      const area = pictures.area;
      const cover = area ? element("img", { class: "area", src: area.image, alt: "", hidden: !overlay }) : null;
      const box = area ? element("input", { type: "checkbox", id: "overlay", checked: overlay, onchange: () => { overlay = box.checked; cover.hidden = !overlay; } }) : null;
      made.push(element("figure", {}, frame(pictures.thumbnail, `${stem}.jpg`, "The micrograph", cover),
        element("figcaption", {}, "Micrograph", area ? element("label", { title: "Usable area (o)" }, box, " what is not usable") : null), area ? areaLegend(area) : null));
    }
    if (pictures.spectrum) {
      made.push(element("figure", {}, frame(pictures.spectrum, `${stem}_spectrum.jpg`, "Its power spectrum"),
        element("figcaption", {}, "Power spectrum, log scale"), pictures.ctf ? element("p", { class: "ctf", text: pictures.ctf }) : null));
    }
    if (!made.length) return null;
    return element("section", { class: "images" }, made);
  }

  function reasonOf(detail, name) {
    const place = placeOf.get(name);
    return place === undefined ? "" : detail.absent[place] || "";
  }

  function couldNotSay(detail) {
    if (!detail.could_not_say.length) return null;
    return element("section", { class: "could-not-say" },
      element("h3", { text: `Could not say (${detail.could_not_say.length})` }),
      element("ul", {}, detail.could_not_say.map((item) => element("li", {},
        element("b", { text: item.rule, title: rules.get(item.rule)?.title || null }),
        item.text ? ` ${item.text}` : null,
        element("ul", {}, item.missing.map((name) => element("li", {}, element("code", { text: name }), reasonOf(detail, name) ? ` ${reasonOf(detail, name)}` : null)))))));
  }

  function measurements(detail) {
    const given = new Set(detail.given);
    const present = page.features.map((_, j) => j).filter((j) => detail.values[j] !== null && detail.values[j] !== undefined);
    const absent = page.features.map((_, j) => j).filter((j) => detail.absent[j] !== undefined);
    if (!present.length && !absent.length) return null;
    const line = (j) => {
      const feature = page.features[j];
      return element("tr", {},
        element("th", { scope: "row", title: [feature.meaning, feature.source].filter((text) => text).join("\n") || null, text: feature.name }),
        element("td", { class: "number", title: `${detail.values[j]} ${unitSign(feature.unit)}`, text: quantity(detail.values[j], feature.unit) }),
        element("td", {}, given.has(j) ? element("span", { class: "given", title: "Came with the list, not measured here", text: "given" }) : null),
        element("td", {}, feature.quantiles ? cryoverdict.figures.place(detail.values[j], feature.quantiles) : null));
    };
    return element("section", { class: "measurements" },
      element("h3", {}, "Measurements ", element("span", { text: `${present.length - given.size} measured, ${given.size} given, ${absent.length} absent; the strip shows the data set, the dot this one` })),
      element("table", {}, element("tbody", {}, present.map(line))),
      absent.length ? element("details", {}, element("summary", { text: `${absent.length} absent, and why` }),
        element("dl", { class: "absent" }, absent.map((j) => element("div", {}, element("dt", { text: page.features[j].name, title: page.features[j].meaning || null }), element("dd", { text: detail.absent[j] }))))) : null);
  }

  function origin(detail) {
    const digests = Object.entries(detail.digests).map(([name, digest]) => element("span", { title: digest }, `${name} `, element("code", { text: String(digest).slice(0, 10) })));
    return element("footer", { class: "origin" }, element("span", { text: `cryoverdict ${detail.version}` }), digests);
  }

  function unreadable(i) {
    return [element("section", { class: "verdict-line" }, listing.verdict(i)),
      element("p", { class: "callout error" }, element("b", { text: "Could not be read. " }), rows.reason[i])];
  }

  async function show(i, where) {
    const isError = listing.outcomeOf(i) === "error";
    let parts;
    try {
      const detail = isError ? null : await load(i);
      parts = isError ? unreadable(i) : [
        verdictOf(i, detail), callouts(i, detail), imageOf(i, detail.pictures),
        detail.pictures.profile ? cryoverdict.figures.radialProfile(detail.pictures.profile) : null,
        cryoverdict.evidence.section(detail, { words: { for: "keep", against: "reject" }, titleOf: (name) => rules.get(name)?.title }),
        couldNotSay(detail), measurements(detail), origin(detail)];
    } catch (error) {
      parts = [element("p", { class: "callout error", text: error.message })];
    }
    return () => {
      host.replaceChildren(header(i, where), ...parts.flat().filter((part) => part));
      host.scrollTop = 0;
      host.dataset.subject = rows.subject[i];
    };
  }

  return {
    show,
    toggleOverlay: () => document.getElementById("overlay")?.click(),
  };
};
