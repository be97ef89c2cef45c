"use strict";
/* The page: opens, changes, takes back, saves; the parts draw, list, tell and run. */

(() => {
  const { Workflow, asList, clone, entries } = composer.document;
  const { element } = cryoverdict;
  const byId = (id) => document.getElementById(id);
  const MOST_KEPT = 100;

  let flow = null;
  let reference = "";
  let selection = null;
  let faults = [];
  let progress = null;
  let history = [];
  let future = [];
  let savedText = "";
  let files = [];

  /* Ask the server; what is wrong comes back as `error`. */
  async function ask(path, told) {
    const options = told === undefined ? {} : { method: "POST", body: JSON.stringify(told) };
    try {
      const answer = await fetch(path, options);
      const content = await answer.json().catch(() => ({ error: "nothing there; is it still running?" }));
      return answer.ok ? content : { ...content, status: answer.status };
    } catch {
      return { error: "cryoverdict compose has ended; start it again" };
    }
  }

  function say(words, wrong = false) {
    byId("status").textContent = words;
    byId("status").classList.toggle("wrong", wrong);
  }

  const textOf = () => JSON.stringify(flow.document);
  const isChanged = () => textOf() !== savedText;

  /* Remember a state, after a change. */
  function remember(words) {
    const text = textOf();
    if (history.at(-1) !== text) {
      history.push(text);
      if (history.length > MOST_KEPT) history.shift();
      future = [];
      if (!byId("run").hidden) showRun(false);
    }
    if (words) say(words);
    buttons();
  }

  function showRun(focus) {
    composer.running.show(flow, () => save(), ask, (run) => { progress = run; decorate(); }, say, focus);
  }

  function buttons() {
    byId("undo").disabled = history.length < 2;
    byId("redo").disabled = future.length === 0;
    byId("remove").disabled = selection === null;
    document.title = `${isChanged() ? "● " : ""}${byId("name").value} · cryoverdict`;
  }

  /* Make a change that came from the panel: `change` may return what to select, or words to say. */
  function act(words, change) {
    const told = change();
    if (told?.part) selection = told;
    redraw();
    remember(typeof told === "string" ? told : words);
  }

  function redraw(fresh = false) {
    const chosen = selection;
    composer.drawing.draw(flow, fresh);
    if (chosen?.id) composer.drawing.select(chosen.part, chosen.id);
    else inspect();
  }

  function inspect() {
    composer.inspector.show(flow, selection, faults, act);
    buttons();
  }

  /* After each drawing: nodes can be reached by keys, and carry their faults and progress. */
  function decorate() {
    const names = { steps: "step", inputs: "input", outputs: "output" };
    for (const node of composer.drawing.nodes()) {
      const part = composer.drawing.partOf(node);
      const told = faults.filter((one) => one.part === part && one.node === node.dataset.id);
      node.setAttribute("tabindex", "0");
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", `${names[part]} ${node.dataset.id}${told.length ? `, ${told.length} faults` : ""}`);
      composer.drawing.mark(node, "fault", told.length ? "!" : null);
      const step = part === "steps" && progress?.steps[node.dataset.id];
      for (const state of ["running", "done", "failed", "stopped"]) node.classList.toggle(`is-${state}`, Boolean(step) && step.state === state);
      composer.drawing.mark(node, "progress", step ? { done: step.begun > 1 ? `${step.done} ✓` : "✓", running: `${step.done}/${Math.max(step.begun, 1)}`, failed: "failed", stopped: "stopped" }[step.state] : null);
    }
  }

  function showFaults() {
    const list = byId("faults");
    list.hidden = faults.length === 0;
    list.replaceChildren(...faults.map((one) => element("li", {}, element("button", { type: "button", onclick: () => one.node && composer.drawing.select(one.part, one.node) }, element("b", { text: one.node || "workflow" }), ` ${one.text}`))));
  }

  function told(found) {
    faults = found;
    showFaults();
    decorate();
    inspect();
  }

  async function list() {
    const state = await ask("state");
    if (state.error) { say(state.error, true); return null; }
    files = state.files;
    composer.palette.show(files, drop);
    const workflows = files.filter((one) => one.class === "Workflow");
    const group = (label, place) => {
      const some = workflows.filter((one) => one.reference.startsWith(place));
      return some.length ? element("optgroup", { label }, some.map((one) => element("option", { value: one.reference, text: one.reference.slice(place.length).replace(/\.cwl$/, "") }))) : null;
    };
    byId("open").replaceChildren(...[element("option", { value: "", text: "a new workflow" }), group("Your folder", "folder/"), group("Shipped", "shipped/workflows/")].filter(Boolean));
    return state;
  }

  const blank = () => ({
    reference: "",
    document: { cwlVersion: "v1.0", class: "Workflow", id: "my_workflow", label: "My workflow", inputs: [], steps: [], outputs: [] },
    processes: {}, faults: [], values: {},
  });

  async function open(wanted) {
    const found = wanted ? await ask(`workflow/${encodeURIComponent(wanted)}`) : blank();
    if (found.error) { say(found.error, true); byId("open").value = reference; return; }
    flow = new Workflow(found.document, found.processes);
    reference = found.reference;
    selection = null;
    progress = null;
    composer.drawing.forget();
    byId("open").value = reference;
    byId("name").value = reference.split("/").pop().replace(/\.cwl$/, "") || "my_workflow";
    composer.running.use(found.values);
    faults = found.faults;
    showFaults();
    redraw(true);
    // The library has given places to nodes without one: that is no change of the reader's.
    composer.drawing.takeBack();
    savedText = textOf();
    history = [savedText];
    future = [];
    byId("run").hidden = true;
    say(reference.startsWith("shipped/") ? "shipped with cryoverdict; saving makes a copy in your folder" : "");
    buttons();
  }

  async function drop(file, x, y, node) {
    if (file.reference === reference) return say("a workflow cannot run itself", true);
    const process = await ask(`process/${encodeURIComponent(file.reference)}`);
    if (process.error) return say(process.error, true);
    if (node) {
      const step = flow.step(node.dataset.id);
      selection = { part: "steps", id: step.id };
      return act(`${process.label || file.reference} takes the place of ${step.id}`, () => flow.replaceStep(step, file.reference, process));
    }
    const at = composer.drawing.pointAt(x, y);
    return act(null, () => {
      const step = flow.addStep(file.reference, process, at.x, at.y);
      selection = { part: "steps", id: step.id };
      return `${step.id} is added; connect what it needs`;
    });
  }

  function remove() {
    if (!selection) return;
    const { part, id } = selection;
    const gone = selection;
    selection = null;
    act(part === "edges" ? `${gone.source} is disconnected` : `${id} is removed`, () => {
      if (part === "steps") flow.removeStep(id);
      if (part === "inputs") flow.removeInput(id);
      if (part === "outputs") flow.removeOutput(id);
      if (part === "edges" && !gone.output) flow.disconnect(gone.source, flow.step(gone.node), gone.port);
      if (part === "edges" && gone.output) delete flow.output(gone.node).outputSource;
    });
    composer.drawing.select(null);
  }

  function back(from, to) {
    if (from === history ? history.length < 2 : future.length === 0) return;
    to.push(from.pop());
    flow.document = JSON.parse(history.at(-1));
    if (selection?.part === "edges" || (selection && !flow.document[selection.part].some((one) => one.id === selection.id))) selection = null;
    redraw();
    say("");
  }

  /* Save, and return the reference of the saved file where it is valid, else nothing. */
  async function save(replace = false) {
    document.activeElement?.blur?.();
    say("saving and checking…");
    byId("save").disabled = true;
    const answer = await ask("save", { document: clone(flow.document), name: byId("name").value.trim(), opened: reference, replace });
    byId("save").disabled = false;
    if (answer.status === 409) {
      say(answer.error, true);
      return (await confirmed(answer.error)) ? save(true) : null;
    }
    if (answer.error) { say(answer.error, true); return null; }
    for (const step of flow.document.steps) {
      const now = answer.moved[step.run];
      if (!now) continue;
      flow.processes[now] = flow.processes[step.run];
      step.run = now;
    }
    reference = answer.reference;
    savedText = textOf();
    history[history.length - 1] = savedText;
    await list();
    byId("open").value = reference;
    told(answer.faults);
    const name = reference.slice("folder/".length);
    const notes = answer.notes.length ? ` (${answer.notes.join("; ")})` : "";
    say(answer.faults.length ? `${name} is saved; ${answer.faults.length} fault${answer.faults.length > 1 ? "s are" : " is"} left${notes}` : `${name} is saved and valid${notes}`, answer.faults.length > 0);
    return answer.faults.length ? null : reference;
  }

  function confirmed(words) {
    const dialog = byId("question");
    dialog.querySelector("p").textContent = words;
    return new Promise((done) => {
      dialog.onclose = () => done(dialog.returnValue === "yes");
      dialog.returnValue = "no";
      dialog.showModal();
    });
  }

  function keys(event) {
    const typing = event.target.closest("input, textarea, select, dialog");
    if ((event.ctrlKey || event.metaKey) && !event.altKey) {
      const does = { s: () => save(), z: () => back(history, future), y: () => back(future, history) }[event.key.toLowerCase()];
      if (!does || (typing && event.key.toLowerCase() !== "s")) return;
      event.preventDefault();
      return void does();
    }
    if (typing) return;
    const node = event.target.closest?.("#drawing .node");
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Enter" && node) {
      event.preventDefault();
      composer.drawing.select(composer.drawing.partOf(node), node.dataset.id);
      composer.drawing.nodeOf(selection.part, selection.id)?.focus();
    } else if (event.key === "Escape") {
      selection = null;
      composer.drawing.select(null);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove();
    } else if (steps[event.key] && selection?.id && event.target.closest?.("#drawing, body")) {
      event.preventDefault();
      const far = event.shiftKey ? 100 : 20;
      const entry = flow.document[selection.part].find((one) => one.id === selection.id);
      act(null, () => {
        entry["sbg:x"] += steps[event.key][0] * far;
        entry["sbg:y"] += steps[event.key][1] * far;
      });
      composer.drawing.nodeOf(selection.part, selection.id)?.focus();
    }
  }

  composer.drawing.use({
    changed(words) {
      // A connection may take another's place, or give a type: the drawing is made anew from it.
      if (words.length) redraw();
      remember(words.join("; "));
    },
    selected(found) { selection = found; inspect(); },
    drawn: decorate,
  });

  document.addEventListener("DOMContentLoaded", async () => {
    byId("open").addEventListener("change", (event) => {
      if (!isChanged()) return open(event.target.value);
      const wanted = event.target.value;
      return confirmed("What was changed is not saved. Open another all the same?").then((yes) => { if (yes) open(wanted); else byId("open").value = reference; });
    });
    byId("name").addEventListener("input", buttons);
    byId("save").addEventListener("click", () => save());
    byId("undo").addEventListener("click", () => back(history, future));
    byId("redo").addEventListener("click", () => back(future, history));
    byId("remove").addEventListener("click", remove);
    byId("arrange").addEventListener("click", () => composer.drawing.arrange());
    byId("fit").addEventListener("click", () => composer.drawing.fit());
    byId("smaller").addEventListener("click", () => composer.drawing.zoom(1 / 1.25));
    byId("larger").addEventListener("click", () => composer.drawing.zoom(1.25));
    byId("keys").addEventListener("click", () => byId("help").showModal());
    byId("show-run").addEventListener("click", () => showRun(true));
    document.addEventListener("keydown", keys);
    window.addEventListener("beforeunload", (event) => { if (flow && isChanged()) event.preventDefault(); });
    const state = await list();
    if (state) await open(state.first);
    document.documentElement.dataset.ready = "yes";
  });

  composer.page = { flow: () => flow, selection: () => selection, faults: () => faults, entries, asList };
})();
