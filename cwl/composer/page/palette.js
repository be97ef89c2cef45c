"use strict";
/* The list of steps that can be added, dragged with mouse, pen or finger, or added with Enter. */

composer.palette = (() => {
  const { element } = cryoverdict;
  const list = () => document.getElementById("palette");
  const FARTHEST_CLICK_PX = 4;

  /* Show the files; `drop(file, x, y, node)` is told where one was let go, x null without a place. */
  function show(files, drop) {
    const groups = [
      ["Your folder", files.filter((one) => one.reference.startsWith("folder/") && one.class !== "Workflow")],
      ["Tools", files.filter((one) => one.reference.startsWith("shipped/tools/"))],
      ["Workflows", files.filter((one) => one.reference.startsWith("shipped/workflows/"))],
      ["Your workflows", files.filter((one) => one.reference.startsWith("folder/") && one.class === "Workflow")],
    ];
    list().replaceChildren(...groups.filter(([, some]) => some.length).flatMap(([name, some]) => [
      element("h3", { text: name }),
      element("ul", {}, some.map((file) => element("li", {}, item(file, drop)))),
    ]));
    filter();
  }

  function item(file, drop) {
    const stem = file.reference.split("/").pop().replace(/\.cwl$/, "");
    const made = element("button", { type: "button", class: `item ${file.class === "Workflow" ? "is-workflow" : ""}`, "data-reference": file.reference, title: file.doc },
      element("b", { text: file.label || stem }), element("span", { text: stem }));
    made.addEventListener("pointerdown", (event) => { if (event.button === 0) drag(event, made, file, drop); });
    made.addEventListener("click", (event) => { if (event.detail === 0) drop(file, null, null, null); });
    return made;
  }

  function drag(start, made, file, drop) {
    start.preventDefault();
    made.focus();
    made.setPointerCapture(start.pointerId);
    const ghost = element("div", { class: "ghost-item" }, file.label || file.reference);
    let moved = false;
    let under = null;
    const move = (event) => {
      if (!moved && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < FARTHEST_CLICK_PX) return;
      if (!moved) document.body.append(ghost);
      moved = true;
      ghost.style.transform = `translate(${event.clientX + 10}px, ${event.clientY + 10}px)`;
      const over = composer.drawing.nodeUnder(event.clientX, event.clientY);
      if (over !== under) {
        under?.classList.remove("takes-place");
        over?.classList.add("takes-place");
        under = over;
      }
      ghost.classList.toggle("nowhere", !composer.drawing.covers(event.clientX, event.clientY));
    };
    const end = (event) => {
      for (const [name, what] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) made.removeEventListener(name, what);
      ghost.remove();
      under?.classList.remove("takes-place");
      if (event.type === "pointerup" && moved && composer.drawing.covers(event.clientX, event.clientY)) drop(file, event.clientX, event.clientY, under);
    };
    for (const [name, what] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) made.addEventListener(name, what);
  }

  function filter() {
    const wanted = document.getElementById("find").value.trim().toLowerCase();
    for (const one of list().querySelectorAll("li")) one.hidden = !one.textContent.toLowerCase().includes(wanted);
  }

  document.addEventListener("DOMContentLoaded", () => document.getElementById("find").addEventListener("input", filter));
  return { show };
})();
