"use strict";
/* The panel at the right: what is selected, its settings and connections. */

composer.inspector = (() => {
  const { asList, entries, given, words } = composer.document;
  const { element } = cryoverdict;
  const panel = () => document.getElementById("inspector");

  /* Show a selection; `act(words, change)` makes a change of the workflow and says it. */
  function show(flow, selection, faults, act) {
    const parts = { steps: stepPanel, inputs: inputPanel, outputs: outputPanel, edges: edgePanel };
    const content = selection ? parts[selection.part](flow, selection, act) : workflowPanel(flow, act);
    const told = faults.filter((one) => selection ? one.part === selection.part && one.node === selection.id : one.node === "");
    panel().replaceChildren(
      ...content.slice(0, 1),
      ...(told.length ? [element("ul", { class: "told" }, told.map((one) => element("li", { text: one.text })))] : []),
      ...content.slice(1),
    );
  }

  const field = (label, control, about = null) => element("label", { class: "field" }, element("span", {}, label), control, about && element("span", { class: "aside", text: about }));

  function text(value, save, attributes = {}) {
    return element("input", { value: value ?? "", autocomplete: "off", spellcheck: "false", ...attributes, onchange: (event) => save(event.target.value.trim(), event.target) });
  }

  function area(value, save, attributes = {}) {
    const made = element("textarea", { rows: 3, ...attributes, onchange: (event) => save(event.target.value) });
    made.value = value ?? "";
    return made;
  }

  /* A control for a value of a type, or null where a page cannot give one; "" takes it away. */
  function valueControl(type, value, otherwise, save, about) {
    const kinds = given(type);
    const symbols = composer.document.symbols(type);
    const hint = otherwise === undefined || otherwise === null ? "" : typeof otherwise === "string" ? otherwise : JSON.stringify(otherwise);
    const common = { "aria-label": about };
    if (symbols && kinds[0] === "enum" || kinds[0] === "boolean") {
      const made = element("select", { ...common, onchange: (event) => save(event.target.value === "" ? undefined : symbols ? event.target.value : event.target.value === "true") },
        element("option", { value: "", text: hint ? `${hint} (default)` : "not set" }),
        (symbols || ["true", "false"]).map((one) => element("option", { value: one, text: one })));
      made.value = value === undefined || value === null ? "" : String(value);
      return made;
    }
    const number = kinds.find((one) => ["int", "long", "float", "double"].includes(one));
    if (kinds.length === 1 && (number || kinds[0] === "string")) {
      return text(value, (typed, control) => {
        if (typed === "") return save(undefined);
        const read = number ? Number(typed) : typed;
        const wrong = number && (!Number.isFinite(read) || (["int", "long"].includes(number) && !Number.isInteger(read)));
        control.setCustomValidity(wrong ? `${typed}: accepted is ${number}` : "");
        if (wrong) return void control.reportValidity();
        save(read);
      }, { ...common, placeholder: hint || "not set", inputmode: number ? "decimal" : "text" });
    }
    if (kinds.length === 1 && symbols && kinds[0] === "enum[]") {
      return text(asList(value).join(" "), (typed, control) => {
        const read = typed.split(/[\s,]+/).filter(Boolean);
        const wrong = read.find((one) => !symbols.includes(one));
        control.setCustomValidity(wrong ? `${wrong}: accepted are ${symbols.join(", ")}` : "");
        if (wrong) return void control.reportValidity();
        save(read.length ? read : undefined);
      }, { ...common, placeholder: hint || symbols.join(", ") });
    }
    return null;
  }

  const heading = (kind, name) => element("div", { class: "heading" }, element("h2", { text: kind }), element("p", { class: "title", text: name }));

  function nameField(flow, part, entry, act) {
    return field("Id", text(entry.id, (typed, control) => {
      try {
        act(`${entry.id} is now ${typed}`, () => { flow.rename(part, entry.id, typed); return { part, id: typed }; });
      } catch (error) {
        control.setCustomValidity(error.message);
        control.reportValidity();
      }
    }, { id: "node-id" }));
  }

  const labelField = (entry, act) => field("Label", text(entry.label, (typed) => act(`${entry.id} is labelled`, () => { if (typed) entry.label = typed; else delete entry.label; })));

  function workflowPanel(flow, act) {
    const one = flow.document;
    return [
      heading("Workflow", one.label || one.id || "no name"),
      field("Label", text(one.label, (typed) => act("labelled", () => { one.label = typed; }))),
      field("What it does", area(one.doc, (typed) => act("described", () => { one.doc = typed; }), { rows: 6 })),
      element("p", { class: "aside", text: `${one.inputs.length} inputs, ${one.steps.length} steps, ${one.outputs.length} outputs. Select a node to set it; drag from port to port to connect; drag a port into the empty to make an input or output of the workflow.` }),
    ];
  }

  function stepPanel(flow, { id }, act) {
    const step = flow.step(id);
    const process = flow.processOf(step);
    const ports = entries(process.inputs);
    const first = ports.filter((port) => flow.taken(step, port.id) || flow.isNeeded(step, port.id));
    const rest = ports.filter((port) => !first.includes(port));
    return [
      heading("Step", step.label || step.id),
      process.doc && element("p", { class: "aside", text: process.doc }),
      element("p", {}, "Runs ", element("code", { text: typeof step.run === "string" ? step.run : "a process of its own" })),
      nameField(flow, "steps", step, act),
      labelField(step, act),
      element("h3", { text: "Takes" }),
      element("button", { type: "button", id: "by-name", onclick: () => act(null, () => {
        const done = flow.connectByName(step);
        return done.length ? `connected ${done.join(", ")}` : "no input of the workflow has a name that is still open";
      }), text: "Connect what has the same name" }),
      first.map((port) => portRow(flow, step, port, act)),
      rest.length ? element("details", {}, element("summary", { text: `More settings (${rest.length})` }), rest.map((port) => portRow(flow, step, port, act))) : null,
      element("h3", { text: "Gives" }),
      entries(process.outputs).map((port) => outputRow(flow, step, port, act)),
    ].flat().filter(Boolean);
  }

  function portRow(flow, step, port, act) {
    const name = `${step.id}/${port.id}`;
    const sources = flow.sources(step, port.id);
    const entry = flow.taken(step, port.id);
    const lacks = flow.isNeeded(step, port.id) && !sources.length && entry?.default === undefined;
    const options = flow.sourcesFor(step, port.id).filter((one) => !sources.includes(one));
    const chosen = (event) => {
      const value = event.target.value;
      if (value === "new") act(`${port.id} is a new input of the workflow`, () => void flow.newInput(step, port.id, step["sbg:x"] - 200, step["sbg:y"] + 140));
      else if (value === "port") act(`${port.id} is on the drawing`, () => composer.drawing.showPort(step.id, port.id));
      else if (value) act(`${value} feeds ${name}`, () => flow.connect(value, step, port.id));
    };
    const value = sources.length ? null : valueControl(port.type, entry?.default, port.default, (read) => act(read === undefined ? `${name} is left to its default` : `${name} is ${read}`, () => flow.setDefault(step, port.id, read)), `Value of ${port.id}`);
    return element("div", { class: `port-row${lacks ? " lacks" : ""}`, "data-port": port.id },
      element("p", { title: port.doc || "" }, element("b", { text: port.id }), " ", element("span", { class: "type", text: words(port.type) }), lacks ? element("span", { class: "missing", text: "needed" }) : null),
      port.label && port.label !== port.id ? element("p", { class: "aside", text: port.label }) : null,
      sources.map((source) => element("span", { class: "chip" }, source, element("button", { type: "button", "aria-label": `Disconnect ${source}`, onclick: () => act(`${source} no longer feeds ${name}`, () => flow.disconnect(source, step, port.id)), text: "×" }))),
      value,
      element("span", { class: "row-tools" },
        element("select", { "aria-label": `Connect ${port.id}`, class: "connect", onchange: chosen },
          element("option", { value: "", text: "connect…" }),
          options.map((one) => element("option", { value: one, text: one })),
          element("option", { value: "new", text: "+ new input of the workflow" }),
          sources.length ? null : element("option", { value: "port", text: "show its port on the drawing" })),
        element("label", { class: "scatter", title: "Run once for each item" }, element("input", { type: "checkbox", checked: step.scatter?.includes(port.id), onchange: (event) => act(`${name} is ${event.target.checked ? "dealt out, one job an item" : "taken whole"}`, () => flow.setScatter(step, port.id, event.target.checked)) }), " each")));
  }

  function outputRow(flow, step, port, act) {
    const source = `${step.id}/${port.id}`;
    const given = flow.document.outputs.some((one) => asList(one.outputSource).includes(source));
    return element("div", { class: "port-row" },
      element("p", { title: port.doc || "" }, element("b", { text: port.id }), " ", element("span", { class: "type", text: words(flow.sourceType(source)) })),
      given ? element("p", { class: "aside", text: "an output of the workflow" })
        : element("button", { type: "button", onclick: () => act(`${source} is an output of the workflow`, () => void flow.newOutput(source, step["sbg:x"] + 240, step["sbg:y"] + 140)), text: "make it an output" }));
  }

  function inputPanel(flow, { id }, act) {
    const one = flow.input(id);
    const value = valueControl(one.type, one.default, undefined, (read) => act(read === undefined ? `${id} has no default` : `${id} is ${read} by default`, () => { if (read === undefined) delete one.default; else one.default = read; }), `Default of ${id}`);
    return [
      heading("Input", one.label || one.id),
      nameField(flow, "inputs", one, act),
      labelField(one, act),
      field("What it means", area(one.doc, (typed) => act(`${id} is described`, () => { if (typed) one.doc = typed; else delete one.doc; }))),
      field("Type", element("span", { class: "type", text: words(one.type) })),
      value ? field("Default", value) : element("p", { class: "aside", text: "Files and folders are given when it is run." }),
    ];
  }

  function outputPanel(flow, { id }, act) {
    const one = flow.output(id);
    return [
      heading("Output", one.label || one.id),
      nameField(flow, "outputs", one, act),
      labelField(one, act),
      field("Type", element("span", { class: "type", text: words(one.type) })),
      field("From", element("code", { text: asList(one.outputSource).join(", ") || "nothing: drag a port onto it" })),
    ];
  }

  function edgePanel(flow, edge) {
    return [
      heading("Connection", `${edge.source} → ${edge.output ? edge.node : `${edge.node}/${edge.port}`}`),
      element("p", { class: "aside", text: "Delete removes it." }),
    ];
  }

  return { show };
})();
