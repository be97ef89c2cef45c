"use strict";
/* Which rows are shown, and in which order. Rows are kept by columns (data/rows.js); the values of
   a measurement are loaded when it is first sorted by, filtered by or shown. */

cryoverdict.selection = (page, rows) => {
  const placeOf = new Map(page.features.map((feature, place) => [feature.name, place]));
  const columns = new Map();
  const words = rows.subject.map((subject, i) =>
    `${subject}\n${rows.reason[i]}\n${rows.defects[i].map((d) => page.defects[d]).join(" ")}`.toLowerCase());
  const byName = new Intl.Collator("en", { numeric: true });

  /* What a row is sorted by, for the columns that every list has. */
  const KEYS = {
    order: (i) => i,
    subject: (i) => rows.subject[i],
    outcome: (i) => rows.outcome[i],
    favourable: (i) => rows.favourable[i],
    grade: (i) => rows.grade[i],
    defects: (i) => (rows.defects[i].length ? rows.defects[i][0] : null),
  };

  async function column(name) {
    if (!columns.has(name)) {
      const script = `column_${String(placeOf.get(name)).padStart(3, "0")}`;
      columns.set(name, await cryoverdict.load(script));
    }
    return columns.get(name);
  }

  const known = (name) => placeOf.has(name);
  const valueOf = (name, i) => columns.get(name)?.[i] ?? null;
  const featureOf = (name) => page.features[placeOf.get(name)];

  function sorter(sort) {
    const down = sort.startsWith("-");
    const name = down ? sort.slice(1) : sort;
    const key = known(name) ? (i) => valueOf(name, i) : KEYS[name] || KEYS.order;
    const turn = down ? -1 : 1;
    return (a, b) => {
      const x = key(a);
      const y = key(b);
      if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
      const order = typeof x === "string" ? byName.compare(x, y) : x - y;
      return turn * order || a - b;
    };
  }

  function test(state) {
    const tests = [];
    const outcome = page.outcomes.indexOf(state.outcome);
    if (outcome >= 0) tests.push((i) => rows.outcome[i] === outcome);
    if (state.defect) {
      const defect = page.defects.indexOf(state.defect);
      tests.push((i) => rows.defects[i].includes(defect));
    }
    if (state.rule) {
      const rule = page.rules.findIndex((line) => line.id === state.rule);
      tests.push((i) => rows.fired[i].includes(rule));
    }
    if (state.grade) tests.push((i) => rows.grade[i] === state.grade);
    if (state.review) tests.push((i) => rows.review[i] === 1);
    for (const { feature, low, high } of state.ranges.filter((range) => known(range.feature))) {
      tests.push((i) => {
        const value = valueOf(feature, i);
        return value !== null && (low === null || value >= low) && (high === null || value <= high);
      });
    }
    for (const word of state.q.toLowerCase().split(/\s+/).filter((part) => part)) {
      tests.push((i) => words[i].includes(word));
    }
    return (i) => tests.every((passes) => passes(i));
  }

  /* Promise the row numbers that a state shows, in its order. */
  async function select(state) {
    const sort = state.sort.replace(/^-/, "");
    const needed = [sort, ...state.ranges.map((range) => range.feature), ...(state.columns || [])];
    await Promise.all(needed.filter(known).map(column));
    const chosen = rows.subject.map((_, i) => i).filter(test(state));
    return state.sort === "order" ? chosen : chosen.sort(sorter(state.sort));
  }

  /* The list as comma-separated values: what is shown, at full precision. */
  function table(chosen, names) {
    const cell = (value) => {
      if (value === null || value === undefined) return "";
      if (typeof value === "number") return String(value);
      // A text that a spreadsheet would take for a formula is marked as text.
      const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const head = ["subject", "outcome", "favourable_probability", "grade", "defects", "review", "reason", ...names];
    const lines = chosen.map((i) => [
      rows.subject[i], page.outcomes[rows.outcome[i]], rows.favourable[i], rows.grade[i],
      rows.defects[i].map((d) => page.defects[d]).join(" "), rows.review[i] ? "yes" : "no", rows.reason[i],
      ...names.map((name) => valueOf(name, i)),
    ]);
    return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  return { select, column, known, valueOf, featureOf, table };
};
