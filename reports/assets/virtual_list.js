"use strict";
/* A list of any length of which only what is on the screen exists.

   `host` scrolls with the page. `create(item)` makes one element; `perLine()` says how many stand
   in one line of `lineHeight` pixels; `spacer` is the tag that stands for what is not there. */

cryoverdict.virtualList = ({ host, spacer, lineHeight, perLine, create }) => {
  const MORE = 6;
  const above = cryoverdict.element(spacer, { class: "spacer", "aria-hidden": "true" });
  const below = cryoverdict.element(spacer, { class: "spacer", "aria-hidden": "true" });
  let items = [];
  let alive = new Map();
  let all = 0;
  let waits = false;

  function draw() {
    waits = false;
    if (!host.isConnected || host.offsetParent === null) return;
    const width = perLine();
    const lines = Math.ceil(items.length / width);
    const hidden = -host.getBoundingClientRect().top;
    const first = Math.max(0, Math.min(lines, Math.floor(hidden / lineHeight) - MORE));
    const seen = Math.ceil(innerHeight / lineHeight) + 2 * MORE;
    const last = all ? Math.min(lines, all) : Math.max(first, Math.min(lines, first + seen));
    const from = all ? 0 : first;
    const shown = new Map();
    for (const item of items.slice(from * width, last * width)) shown.set(item, alive.get(item) || create(item));
    alive = shown;
    above.style.height = `${from * lineHeight}px`;
    below.style.height = `${(lines - last) * lineHeight}px`;
    const wanted = [above, ...shown.values(), below];
    if (wanted.length !== host.childNodes.length || wanted.some((node, k) => node !== host.childNodes[k])) {
      host.replaceChildren(...wanted);
    }
  }

  function later() {
    if (!waits) {
      waits = true;
      requestAnimationFrame(draw);
    }
  }

  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", later);

  return {
    draw,
    /* Show other items; `anew` makes every element again. */
    show(list, anew) {
      items = list;
      if (anew) alive = new Map();
      draw();
    },
    /* The element of an item, if it is on the screen. */
    elementOf: (item) => alive.get(item),
    /* Move the page so that the item at a place of the list can be seen between two edges. */
    reveal(place, top, bottom) {
      const y = host.getBoundingClientRect().top + Math.floor(place / perLine()) * lineHeight;
      if (y < top) scrollBy(0, y - top);
      else if (y + lineHeight > bottom) scrollBy(0, y + lineHeight - bottom);
      draw();
    },
    perLine,
    /* Have the first `lines` lines exist together, for paper; 0 goes back to the screen. */
    print(lines) {
      all = lines;
      draw();
    },
  };
};
