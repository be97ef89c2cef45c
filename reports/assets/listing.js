"use strict";
/* The list of subjects, as a table or as a gallery of thumbnails. */

cryoverdict.listing = ({ container, page, rows, selection, onOpen, onSort }) => {
  const { element, number, probability, unitSign } = cryoverdict;
  const ROW_PX = 60;
  const TILE_PX = 172;
  const TILE_WIDTH_PX = 150;
  const PRINTED = 300;
  let columns = [];
  let current = null;
  let active = null;
  let chosen = [];

  const outcomeOf = (i) => page.outcomes[rows.outcome[i]];
  const nameOf = (i) => rows.subject[i].split(/[\\/]/).pop() || rows.subject[i];
  const pathOf = (i) => rows.subject[i].slice(0, rows.subject[i].length - nameOf(i).length);

  // A folder that all subjects share tells nothing in a row.
  const isShared = rows.subject.every((_, i) => pathOf(i) === pathOf(0));
  const folderOf = (i) => (isShared ? "" : pathOf(i));

  function picture(i) {
    if (!rows.pictured[i]) return element("span", { class: "no-picture", "aria-hidden": "true" });
    const [chunk, place] = [Math.floor(i / page.chunk), i % page.chunk];
    const src = `pictures/${String(chunk).padStart(3, "0")}/${String(place).padStart(2, "0")}.jpg`;
    return element("img", { src, alt: "", loading: "lazy", decoding: "async" });
  }

  function verdict(i) {
    const outcome = outcomeOf(i);
    return element("span", { class: `verdict ${outcome}`, text: outcome });
  }

  function chance(i) {
    const p = rows.favourable[i];
    if (p === null) return [];
    const { drawing } = cryoverdict;
    return [
      element("span", { class: "chance", text: probability(p) }),
      drawing("svg", { class: "share", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        drawing("rect", { class: "track", width: 100, height: 6 }),
        drawing("rect", { class: `fill-${outcomeOf(i)}`, width: 100 * p, height: 6 })),
    ];
  }

  const openAt = (i) => (event) => {
    if (event.type === "click" || event.key === "Enter") onOpen(i);
  };

  function tableRow(i) {
    const folder = folderOf(i);
    return element("tr", { "data-row": i, "data-outcome": outcomeOf(i), "aria-current": i === current ? "true" : null, onclick: openAt(i) },
      element("td", { class: "picture" }, picture(i)),
      element("td", { class: "name" },
        element("a", { href: cryoverdict.address.write({ subject: rows.subject[i], ranges: [] }), title: rows.subject[i], onclick: (event) => (event.ctrlKey || event.metaKey ? event.stopPropagation() : event.preventDefault()) },
          element("b", { text: nameOf(i) }), folder ? element("span", { class: "folder", text: ` ${folder}` }) : null),
        element("span", { class: "reason", title: rows.reason[i], text: rows.reason[i] })),
      element("td", { class: "verdict-cell" }, verdict(i), rows.review[i] ? element("span", { class: "review", title: "Flagged for review", text: "review" }) : null),
      element("td", { class: "number chance-cell" }, chance(i)),
      element("td", { class: "grade", text: rows.grade[i] ?? "" }),
      element("td", { class: "defect-cell" }, rows.defects[i].map((d) => element("span", { class: "defect-tag", text: page.defects[d] }))),
      columns.map((name) => element("td", { class: "number extra", text: number(selection.valueOf(name, i), 3) })));
  }

  function tile(i) {
    return element("button", { type: "button", class: `tile ${outcomeOf(i)}`, "data-row": i, title: `${rows.subject[i]}\n${rows.reason[i]}`, "aria-current": i === current ? "true" : null, onclick: openAt(i) },
      picture(i),
      element("span", { class: "tile-line" }, element("i", { class: `dot ${outcomeOf(i)}` }), element("span", { class: "tile-name" }, element("bdi", { text: nameOf(i) })), element("span", { class: "chance", text: rows.review[i] ? "review" : probability(rows.favourable[i]) })));
  }

  const tbody = element("tbody");
  const head = element("tr");
  const table = element("table", { class: "list" }, element("thead", {}, head), tbody);
  const gallery = element("div", { class: "gallery", role: "list" });
  const lists = {
    table: { host: table, list: cryoverdict.virtualList({ host: tbody, spacer: "tr", lineHeight: ROW_PX, perLine: () => 1, create: tableRow }) },
    gallery: {
      host: gallery,
      list: cryoverdict.virtualList({
        host: gallery, spacer: "div", lineHeight: TILE_PX, create: tile,
        perLine: () => Math.max(1, Math.floor((gallery.clientWidth || TILE_WIDTH_PX) / TILE_WIDTH_PX)),
      }),
    },
  };

  const HEADS = [
    [null, "", "picture"], ["subject", "Micrograph", "name"], ["outcome", "Outcome", "verdict-cell"],
    ["favourable", "P(keep)", "number chance-cell"], ["grade", "Grade", "grade"], ["defects", "Defects", "defect-cell"],
  ];

  function headCell([key, label, kind, title], sort) {
    const name = sort.replace(/^-/, "");
    const order = name !== key ? "none" : sort.startsWith("-") ? "descending" : "ascending";
    const cell = element("th", { scope: "col", class: kind, "aria-sort": key ? order : null, title: title || null });
    // A long name may break after its underscores.
    const words = label.split(/(?<=_)(?=.{4})/).flatMap((word) => [word, element("wbr")]);
    if (key) {
      const next = order === "ascending" ? `-${key}` : order === "descending" ? "order" : key;
      cell.append(element("button", { type: "button", onclick: () => onSort(next) }, words));
    }
    return cell;
  }

  function drawHead(sort) {
    const measured = columns.map((name) => {
      const feature = selection.featureOf(name);
      const sign = unitSign(feature.unit);
      return [name, name, "number extra", sign ? `${feature.meaning} (${sign})` : feature.meaning];
    });
    head.replaceChildren(...[...HEADS, ...measured].map((cell) => headCell(cell, sort)));
  }

  // Paper gets the first rows as filtered and sorted, and whatever else is folded away on the screen.
  const folded = [];
  addEventListener("beforeprint", () => {
    active?.list.print(Math.ceil(PRINTED / active.list.perLine()));
    folded.push(...document.querySelectorAll("#detail details:not([open])"));
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    active?.list.print(0);
    for (const part of folded.splice(0)) part.open = false;
  });

  return {
    PRINTED,
    /* Show row numbers in a layout; measurements of the extra columns must be loaded. */
    show(list, { layout, sort, shownColumns }) {
      const anew = shownColumns.join("\n") !== columns.join("\n");
      columns = shownColumns;
      chosen = list;
      drawHead(sort);
      const wanted = lists[layout] || lists.table;
      if (active !== wanted) {
        active = wanted;
        container.replaceChildren(active.host);
      }
      active.list.show(chosen, anew);
      table.setAttribute("aria-rowcount", chosen.length);
    },
    mark(i) {
      for (const { list } of Object.values(lists)) {
        if (current !== null) list.elementOf(current)?.removeAttribute("aria-current");
        if (i !== null) list.elementOf(i)?.setAttribute("aria-current", "true");
      }
      current = i;
    },
    reveal(i, top, bottom) {
      const place = chosen.indexOf(i);
      if (place >= 0) active.list.reveal(place, top, bottom);
    },
    redraw: () => active?.list.draw(),
    nameOf,
    folderOf: pathOf,
    outcomeOf,
    picture,
    verdict,
  };
};
