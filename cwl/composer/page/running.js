"use strict";
/* The panel below: the values of a run, its progress, stop. */

composer.running = (() => {
  const { element } = cryoverdict;
  const { isOptional, given, words } = composer.document;
  const panel = () => document.getElementById("run");
  const POLL_MS = 500;
  let values = {};
  let polling = false;

  function use(given) { values = { ...given }; }

  /* Show the inputs to fill in; `ask(path, told)` speaks to the server, `saved()` says under which name. */
  function show(flow, saved, ask, progress, say, focus = true) {
    const fields = flow.document.inputs.map((one) => {
      const needed = !isOptional(one.type) && one.default === undefined;
      const many = given(one.type).some((kind) => kind.endsWith("[]"));
      const shown = one.default === undefined ? "" : typeof one.default === "string" ? one.default : JSON.stringify(one.default);
      const control = element(many ? "textarea" : "input", { name: one.id, rows: many ? 2 : null, spellcheck: "false", autocomplete: "off", placeholder: shown || words(one.type), oninput: (event) => { values[one.id] = event.target.value; } });
      control.value = values[one.id] ?? "";
      return element("label", { class: `field${needed ? " needed" : ""}`, title: one.doc || "" }, element("span", {}, one.label || one.id, needed ? element("i", { text: " needed" }) : null), control);
    });
    const start = async () => {
      const reference = await saved();
      if (!reference) return;
      const answer = await ask("run", { workflow: reference, values });
      if (answer.error) return say(answer.error, true);
      poll(ask, progress, say);
    };
    panel().replaceChildren(
      element("div", { class: "run-head" },
        element("h2", { text: "Run" }),
        element("button", { type: "button", id: "start", class: "main", onclick: start, text: "Save and run" }),
        element("button", { type: "button", id: "stop", disabled: true, onclick: async () => { await ask("stop", {}); }, text: "Stop" }),
        element("output", { id: "run-state", "aria-live": "polite" }),
        element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => { panel().hidden = true; }, text: "×" })),
      element("p", { class: "aside", text: "Paths are relative to your folder; several go on lines of their own. For a whole session use cryoverdict run --workflow with the saved file: it deals a list into batches." }),
      element("div", { class: "run-fields" }, fields),
      element("pre", { id: "log", "aria-label": "Log", hidden: true }),
    );
    panel().hidden = false;
    if (focus) panel().querySelector(".needed input, .needed textarea, input")?.focus();
    poll(ask, progress, say);
  }

  /* Ask how the run is, again and again while it goes. */
  async function poll(ask, progress, say) {
    if (polling) return;
    polling = true;
    try {
      for (;;) {
        const { run } = await ask("run");
        if (!run) return;
        progress(run);
        tell(run);
        if (run.state !== "running") {
          if (run.state === "failed") say(run.message, true);
          return;
        }
        await new Promise((done) => setTimeout(done, POLL_MS));
      }
    } finally {
      polling = false;
    }
  }

  function tell(run) {
    const state = document.getElementById("run-state");
    if (!state) return;
    const steps = Object.entries(run.steps);
    const at = steps.filter(([, one]) => one.state === "running").map(([name]) => name).join(", ");
    const said = {
      running: `${run.name} is running${at ? `: ${at}` : ""}`,
      done: `${run.name} is done: ${run.outputs.length} outputs in ${run.folder}`,
      failed: `${run.name} failed: ${run.message}`,
      stopped: `${run.name} is stopped; what is finished is kept`,
    };
    state.textContent = said[run.state];
    state.className = run.state;
    document.getElementById("stop").disabled = run.state !== "running";
    document.getElementById("start").disabled = run.state === "running";
    const log = document.getElementById("log");
    log.hidden = run.log.length === 0;
    log.textContent = run.log.join("\n");
    log.scrollTop = log.scrollHeight;
  }

  return { use, show };
})();
