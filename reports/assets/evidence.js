"use strict";
/* The reasons of one decision as bars in log-odds, and the addition that gives its probability.
   Any page of decisions may use it: it knows evidence, a prior and two words for the outcomes. */

cryoverdict.evidence = (() => {
  const { element, number, quantity, probability, signed } = cryoverdict;
  const SHOWN = 9;
  const SMALL = 0.005;
  const SOURCES = { rule: "an expert's rule", model: "a term of the statistical model", gate: "a rule that decides alone" };

  /* A probability with its sign of relation: «= 0.970», «< 0.001». */
  function equals(value) {
    const text = probability(value);
    return /^[<>]/.test(text) ? `${text[0]} ${text.slice(1)}` : `= ${text}`;
  }

  function bar(logOdds, largest) {
    const share = Math.min(1, Math.abs(logOdds) / largest) * 50;
    const style = logOdds < 0 ? { right: "50%", width: `${share}%` } : { left: "50%", width: `${share}%` };
    return element("span", { class: "bar", "aria-hidden": "true" }, element("i", { class: logOdds < 0 ? "against" : "for", style }));
  }

  function line(item, largest, title) {
    return element("li", { class: `evidence ${item.source}` },
      element("span", { class: "tag", text: item.source, title: SOURCES[item.source] || "" }),
      element("span", { class: "what" },
        element("b", { text: item.name, title: title || null }),
        item.value === null || item.value === undefined ? null : element("span", { class: "measured", text: quantity(item.value, item.unit ?? "1") }),
        item.text ? element("span", { class: "text", text: item.text }) : null),
      bar(item.log_odds, largest),
      element("span", { class: "number", text: signed(item.log_odds) }));
  }

  /* Return the section; `words` are for positive and negative evidence, `titleOf` a rule's title. */
  function section(detail, { words, titleOf }) {
    const sorted = [...detail.evidence].sort((a, b) =>
      (b.source === "gate") - (a.source === "gate") || Math.abs(b.log_odds) - Math.abs(a.log_odds));
    const largest = Math.max(1, Math.abs(detail.prior_log_odds), ...sorted.map((e) => Math.abs(e.log_odds)));
    const strong = sorted.filter((e, k) => e.source === "gate" || (k < SHOWN && Math.abs(e.log_odds) >= SMALL));
    const weak = sorted.filter((e) => !strong.includes(e));
    const sum = (list) => list.reduce((total, e) => total + e.log_odds, 0);
    const make = (e) => line(e, largest, titleOf(e.name));
    const prior = { source: "prior", name: "prior", log_odds: detail.prior_log_odds, text: "before any evidence" };
    const difference = Math.abs(detail.log_odds_probability - detail.favourable_probability);
    return element("section", { class: "evidences" },
      element("h3", { text: "Evidence" }),
      element("div", { class: "scale", "aria-hidden": "true" }, element("span", { text: `← ${words.against}` }), element("span", { text: `${words.for} →` })),
      element("ol", {}, line(prior, largest), strong.map(make)),
      weak.length ? element("details", { class: "weak" },
        element("summary", {}, `${number(weak.length)} smaller, together ${signed(sum(weak))}`), element("ol", {}, weak.map(make))) : null,
      element("p", { class: "sum" },
        `prior ${signed(detail.prior_log_odds)} + evidence ${signed(sum(detail.evidence))} = `,
        element("b", { class: "total", text: signed(detail.log_odds) }), " log-odds → ",
        element("b", { text: `P(${words.for}) ${equals(detail.favourable_probability)}` })),
      difference > 1e-6 ? element("p", { class: "note", text: `The sum stands for P(${words.for}) = ${number(detail.log_odds_probability, 6)}, not for the stored ${number(detail.favourable_probability, 6)}.` }) : null);
  }

  return { section };
})();
