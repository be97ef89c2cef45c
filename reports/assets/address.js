"use strict";
/* What the page shows, kept in its address behind the #: a link to it shows the same again.

   `#subject=mics/a.mrc&outcome=reject&defect=film&sort=-favourable&range=ctf_resolution_a:3:6`
   A bare `#mics/a.mrc` opens that subject. */

cryoverdict.address = (() => {
  const SINGLE = ["view", "layout", "outcome", "defect", "grade", "rule", "q", "sort", "subject"];
  const START = { view: "micrographs", layout: "table", sort: "order", review: false, ranges: [], columns: null };

  function readRange(text) {
    const parts = text.split(":");
    const high = parts.pop();
    const low = parts.pop();
    const bound = (word) => (word === "" || word === undefined || Number.isNaN(Number(word)) ? null : Number(word));
    return { feature: parts.join(":"), low: bound(low), high: bound(high) };
  }

  /* Return the state that a hash describes; `isSubject` says whether a text names a subject. */
  function read(hash, isSubject) {
    const text = hash.replace(/^#/, "");
    const state = structuredClone(START);
    for (const name of SINGLE) state[name] ??= "";
    let bare = "";
    try { bare = decodeURIComponent(text); } catch { bare = text; }
    if (isSubject(bare)) return { ...state, subject: bare };
    const words = new URLSearchParams(text);
    for (const name of SINGLE) if (words.get(name)) state[name] = words.get(name);
    state.review = words.get("review") === "yes";
    state.ranges = words.getAll("range").map(readRange).filter((range) => range.feature);
    if (words.has("column")) state.columns = words.getAll("column").filter((name) => name);
    return state;
  }

  function write(state) {
    const words = new URLSearchParams();
    for (const name of SINGLE) {
      if (state[name] && state[name] !== START[name]) words.set(name, state[name]);
    }
    if (state.review) words.set("review", "yes");
    for (const { feature, low, high } of state.ranges) words.append("range", `${feature}:${low ?? ""}:${high ?? ""}`);
    if (state.columns) for (const name of state.columns.length ? state.columns : [""]) words.append("column", name);
    return `#${words}`;
  }

  return { read, write };
})();
