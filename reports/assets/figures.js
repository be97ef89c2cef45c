"use strict";
/* Figures drawn from numbers: the radial profile, a value's place in the data set, and the brush
   with which a range is chosen on a histogram. */

cryoverdict.figures = (() => {
  const { element, drawing, number } = cryoverdict;
  const WIDTH = 640;
  const LEFT = 8;
  const RIGHT = 8;
  const RESOLUTIONS_A = [100, 50, 30, 20, 15, 10, 8, 6, 5, 4.5, 4, 3.5, 3, 2.7, 2.5, 2.2, 2, 1.8, 1.6, 1.5, 1.4, 1.3, 1.2, 1.1, 1, 0.9, 0.8, 0.7, 0.6, 0.5];
  const LEAST_GAP_PX = 34;

  /* Path data of a curve; gaps where a value is missing. */
  function path(xs, ys) {
    let pen = "M";
    return xs.map((x, k) => {
      if (ys[k] === null || !Number.isFinite(ys[k])) { pen = "M"; return ""; }
      const step = `${pen}${x.toFixed(1)} ${ys[k].toFixed(1)}`;
      pen = "L";
      return step;
    }).join("");
  }

  function extent(values) {
    const known = values.filter((v) => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
    if (!known.length) return [0, 1];
    const [low, high] = [known[Math.floor(0.01 * known.length)], known[Math.ceil(0.99 * known.length) - 1]];
    return high > low ? [low, high] : [low - 1, high + 1];
  }

  const scaled = (values, [low, high], top, bottom) => values.map((v) =>
    (v === null || !Number.isFinite(v) ? null : Math.max(top, Math.min(bottom, bottom - ((v - low) / (high - low)) * (bottom - top)))));

  /* The largest size of a curve within `reach` places on both sides. */
  function envelope(values, reach) {
    const size = values.map((v) => (v === null ? 0 : Math.abs(v)));
    return size.map((_, k) => Math.max(...size.slice(Math.max(0, k - reach), k + reach + 1)));
  }

  /* Thon rings, each ring scaled to its own height, as the fit has them: 0 to 1. */
  function rings(profile) {
    const above = profile.power.map((p, k) => (p === null || profile.background[k] === null ? null : p - profile.background[k]));
    const reach = Math.max(3, Math.round(above.length / 18));
    const height = envelope(above, reach);
    return above.map((v, k) => (v === null || height[k] === 0 || k < 0.02 * above.length ? null : v / height[k]));
  }

  function ticks(profile, xOf, highest) {
    const marks = profile.unit === "1/A"
      ? RESOLUTIONS_A.map((a) => ({ at: 1 / a, label: String(a) }))
      : [0.1, 0.2, 0.3, 0.4, 0.5].map((f) => ({ at: f, label: String(f) }));
    let last = -Infinity;
    return marks.filter(({ at }) => {
      const fits = at <= highest && xOf(at) - last >= LEAST_GAP_PX;
      if (fits) last = xOf(at);
      return fits;
    });
  }

  /* The radial profile: the logarithm of the power with its background, and the rings with the fit. */
  function radialProfile(profile) {
    const { frequency, power, background, fit, agreement } = profile;
    const highest = Math.max(...frequency.filter((f) => f !== null));
    const xOf = (f) => LEFT + (f / highest) * (WIDTH - LEFT - RIGHT);
    const xs = frequency.map((f) => xOf(f ?? 0));
    const parts = [];
    let top = 6;
    const panel = (height) => { const box = [top, top + height]; top += height + 16; return box; };
    if (power) {
      const positive = power.every((p) => p === null || p > 0);
      const scale = (values) => values.map((v) => (v === null ? null : positive ? Math.log(Math.max(v, 1e-30)) : v));
      const box = panel(64);
      const range = extent(scale(power.slice(Math.ceil(0.02 * power.length))));
      parts.push(drawing("path", { class: "curve power", d: path(xs, scaled(scale(power), range, ...box)) }));
      if (background) parts.push(drawing("path", { class: "curve background", d: path(xs, scaled(scale(background), range, ...box)) }));
    }
    if (fit || (power && background)) {
      const box = panel(fit ? 112 : 84);
      parts.push(drawing("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: box[1], y2: box[1] }));
      if (power && background) parts.push(drawing("path", { class: "curve rings", d: path(xs, scaled(rings(profile), [-0.15, 1.05], ...box)) }));
      if (agreement) parts.push(drawing("path", { class: "curve agreement", d: path(xs, scaled(agreement, [-0.15, 1.05], ...box)) }));
      if (fit) {
        const peak = Math.max(...fit.filter((v) => v !== null), 1e-30);
        parts.push(drawing("path", { class: "curve fit", d: path(xs, scaled(fit.map((v) => (v === null ? null : v / peak)), [-0.15, 1.05], ...box)) }));
      }
    }
    const bottom = top - 10;
    for (const { at, label } of ticks(profile, xOf, highest)) {
      parts.unshift(drawing("line", { class: "tick", x1: xOf(at), x2: xOf(at), y1: 2, y2: bottom }));
      parts.push(drawing("text", { x: xOf(at), y: bottom + 13, "text-anchor": "middle", text: label }));
    }
    const key = (kind, text) => element("span", {}, element("i", { class: `line ${kind}` }), text);
    return element("figure", { class: "profile" },
      drawing("svg", { viewBox: `0 0 ${WIDTH} ${bottom + 17}`, role: "img", "aria-label": "Radial profile of the power spectrum" }, parts),
      element("figcaption", {}, power ? key("power", "power, log scale") : null, background ? key("background", "background") : null,
        power && background ? key("rings", "rings, each to its own height") : null, fit ? key("fit", "CTF² of the fit") : null, agreement ? key("agreement", "agreement of the two") : null,
        element("span", { class: "axis-label", text: profile.unit === "1/A" ? "resolution (Å)" : "cycles per pixel" })));
  }

  /* Where a value lies among all subjects: the middle half, the 5 to 95 % range, the median. */
  function place(value, quantiles) {
    const [W, H] = [120, 14];
    const [, q05, q25, q50, q75, q95] = quantiles;
    const margin = (q95 - q05) * 0.3 || Math.abs(q50) * 0.1 || 1;
    const [low, high] = [q05 - margin, q95 + margin];
    const x = (v) => 3 + ((Math.max(low, Math.min(high, v)) - low) / (high - low)) * (W - 6);
    const outside = value < low || value > high;
    return drawing("svg", { class: "place", viewBox: `0 0 ${W} ${H}`, width: W, height: H, "aria-hidden": "true" },
      drawing("line", { class: "range", x1: x(q05), x2: x(q95), y1: H / 2, y2: H / 2 }),
      drawing("rect", { class: "middle", x: x(q25), y: H / 2 - 3, width: Math.max(1, x(q75) - x(q25)), height: 6 }),
      drawing("line", { class: "median", x1: x(q50), x2: x(q50), y1: H / 2 - 4, y2: H / 2 + 4 }),
      outside
        ? drawing("path", { class: "value", d: value > high ? `M${W - 8} 2l7 5l-7 5z` : "M8 2l-7 5l7 5z" })
        : drawing("circle", { class: "value", cx: x(value), cy: H / 2, r: 3.6 }));
  }

  /* Let the reader drag a range on a histogram; ends of the figure mean no bound. */
  function brush(figure, onRange) {
    const svg = figure.querySelector("svg");
    const [low, high, bins] = [figure.dataset.low, figure.dataset.high, figure.dataset.bins].map(Number);
    const box = svg.viewBox.baseVal;
    const mark = drawing("rect", { class: "brush", y: 0, height: box.height, width: 0, visibility: "hidden" });
    svg.prepend(mark);
    let start = null;
    const binAt = (event) => {
      const rect = svg.getBoundingClientRect();
      return Math.max(0, Math.min(bins - 1, Math.floor(((event.clientX - rect.left) / rect.width) * bins)));
    };
    const paint = (a, b) => {
      mark.setAttribute("x", (Math.min(a, b) * box.width) / bins);
      mark.setAttribute("width", ((Math.abs(a - b) + 1) * box.width) / bins);
      mark.setAttribute("visibility", "visible");
    };
    svg.addEventListener("pointerdown", (event) => { start = binAt(event); svg.setPointerCapture(event.pointerId); paint(start, start); });
    svg.addEventListener("pointermove", (event) => { if (start !== null) paint(start, binAt(event)); });
    svg.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [a, b] = [start, binAt(event)].sort((x, y) => x - y);
      start = null;
      const edge = (k) => Number((low + (k * (high - low)) / bins).toPrecision(4));
      onRange({ feature: figure.dataset.feature, low: a === 0 ? null : edge(a), high: b === bins - 1 ? null : edge(b + 1) });
    });
    /* Show the range that filters now, or none. */
    return (range) => {
      if (!range) { mark.setAttribute("visibility", "hidden"); return; }
      const bin = (value) => Math.max(0, Math.min(bins - 1, Math.round(((value - low) / (high - low)) * bins)));
      paint(range.low === null ? 0 : bin(range.low), range.high === null ? bins - 1 : Math.max(bin(range.high) - 1, 0));
    };
  }

  return { radialProfile, place, brush, number };
})();
