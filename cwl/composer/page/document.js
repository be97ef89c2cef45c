"use strict";
/* The workflow as this page holds it: plain CWL, entries in lists, each step's file by a reference.

   What the drawing's library makes of a workflow is never saved: from it come only connections and
   places. So whatever it does not understand stays as it was in the file. */

window.composer = window.composer || {};

composer.document = (() => {
  const STREAMS = ["stdout", "stderr"];
  const WIDER = { int: ["int", "long", "float", "double"], long: ["long", "float", "double"], float: ["float", "double"], double: ["double", "float"] };

  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const clone = (value) => JSON.parse(JSON.stringify(value));
  const asList = (value) => (value === undefined || value === null ? [] : Array.isArray(value) ? value : [value]);

  /* Return the types that a type allows, as words: "File", "File[]", "null". */
  function variants(type) {
    if (Array.isArray(type)) return type.flatMap(variants);
    if (isObject(type) && type.type === "array") return variants(type.items).map((one) => `${one}[]`);
    if (isObject(type) && type.type === "enum") return ["enum"];
    if (isObject(type)) return typeof type.type === "string" && type.type !== "record" ? variants(type.type) : [String(type.type)];
    const text = String(type);
    return text.endsWith("?") ? [...variants(text.slice(0, -1)), "null"] : [text];
  }

  const given = (type) => variants(type).filter((one) => one !== "null");
  const isOptional = (type) => variants(type).includes("null");

  /* Return the values that an enumeration allows, also one inside an array; null for other types. */
  function symbols(type) {
    for (const one of asList(type)) {
      if (one?.type === "enum") return one.symbols;
      if (one?.type === "array") {
        const found = symbols(one.items);
        if (found) return found;
      }
    }
    return null;
  }

  const words = (type) => given(type).map((one) => one.replace("enum", symbols(type)?.join("|") || "enum")).join(" or ") + (isOptional(type) ? ", optional" : "");

  function arrayOf(type) {
    return typeof type === "string" && !type.endsWith("?") ? `${type}[]` : { type: "array", items: type };
  }

  /* Return a type without the bindings to a command line, which only tools have. */
  function unbound(type) {
    if (Array.isArray(type)) return type.map(unbound);
    if (!isObject(type)) return type;
    const kept = Object.fromEntries(Object.entries(type).filter(([name]) => name !== "inputBinding"));
    if (kept.items !== undefined) kept.items = unbound(kept.items);
    return kept;
  }

  function accepts(sink, source) {
    return sink === "Any" || sink === source || (WIDER[source] || []).includes(sink) || (source === "string" && sink === "enum");
  }

  /* Return whether a source may feed a sink: as it is, or as one item of its array. */
  function fits(source, sink) {
    const from = given(source);
    return given(sink).some((one) => from.some((other) => accepts(one, other) || (one.endsWith("[]") && accepts(one.slice(0, -2), other))));
  }

  class Workflow {
    constructor(document, processes) {
      this.document = document;
      this.processes = processes;
    }

    processOf(step) {
      return isObject(step.run) ? step.run : this.processes[step.run];
    }

    step(id) { return this.document.steps.find((one) => one.id === id); }
    input(id) { return this.document.inputs.find((one) => one.id === id); }
    output(id) { return this.document.outputs.find((one) => one.id === id); }

    port(step, id) { return composer.document.entries(this.processOf(step).inputs).find((one) => one.id === id); }
    taken(step, id) { return step.in.find((one) => one.id === id); }
    sources(step, id) { return asList(this.taken(step, id)?.source); }

    /* Return whether a step cannot run without this input. */
    isNeeded(step, id) {
      const port = this.port(step, id);
      return Boolean(port) && !isOptional(port.type) && port.default === undefined;
    }

    /* Return the type of what a source gives: all jobs' results where its step is scattered. */
    sourceType(source) {
      const [first, second] = source.split("/");
      if (second === undefined) return this.input(first)?.type;
      const step = this.step(first);
      const found = step && composer.document.entries(this.processOf(step).outputs).find((one) => one.id === second);
      if (!found) return undefined;
      const type = STREAMS.includes(found.type) ? "File" : unbound(found.type);
      return step.scatter?.length ? arrayOf(type) : type;
    }

    sinkType(step, id) {
      const type = unbound(this.port(step, id)?.type ?? "Any");
      return step.scatter?.includes(id) ? arrayOf(type) : type;
    }

    /* Return the sources that an input of a step may be connected to, by what they are. */
    sourcesFor(step, id) {
      const sink = this.sinkType(step, id);
      const after = this.after(step.id);
      const found = this.document.inputs.map((one) => one.id);
      for (const other of this.document.steps) {
        if (after.has(other.id)) continue;
        found.push(...composer.document.entries(this.processOf(other).outputs).map((one) => `${other.id}/${one.id}`));
      }
      return found.filter((source) => fits(this.sourceType(source), sink));
    }

    /* Return a step and all that come after it: what must not feed it. */
    after(id) {
      const found = new Set([id]);
      for (let size = 0; size < found.size;) {
        size = found.size;
        for (const step of this.document.steps) {
          if (step.in.some((one) => asList(one.source).some((s) => s.includes("/") && found.has(s.split("/")[0])))) found.add(step.id);
        }
      }
      return found;
    }

    freeId(wanted, among) {
      const taken = new Set(among.map((one) => one.id));
      const base = String(wanted).replace(/[^A-Za-z0-9_]+/g, "_").replace(/^[^A-Za-z]+/, "") || "step";
      let id = base;
      for (let number = 2; taken.has(id); number += 1) id = `${base}_${number}`;
      return id;
    }

    addStep(reference, process, x, y) {
      this.processes[reference] = process;
      const stem = reference.split("/").pop().replace(/\.cwl$/, "");
      const step = {
        id: this.freeId(process.id || stem, [...this.document.steps, ...this.document.outputs]),
        label: process.label || stem,
        run: reference,
        in: [],
        out: composer.document.entries(process.outputs).map((one) => one.id),
        "sbg:x": x,
        "sbg:y": y,
      };
      this.document.steps.push(step);
      return step;
    }

    /* Let a step run another file; connections to ports that it has too are kept. */
    replaceStep(step, reference, process) {
      this.processes[reference] = process;
      step.run = reference;
      step.label = process.label || step.label;
      const inputs = new Set(composer.document.entries(process.inputs).map((one) => one.id));
      const outputs = composer.document.entries(process.outputs).map((one) => one.id);
      step.in = step.in.filter((one) => inputs.has(one.id));
      step.out = outputs;
      if (step.scatter) step.scatter = step.scatter.filter((id) => inputs.has(id));
      this.dropSources((source) => source.startsWith(`${step.id}/`) && !outputs.includes(source.split("/")[1]));
      this.settleAround(step);
    }

    removeStep(id) {
      this.document.steps = this.document.steps.filter((one) => one.id !== id);
      this.dropSources((source) => source.startsWith(`${id}/`));
    }

    removeInput(id) {
      this.document.inputs = this.document.inputs.filter((one) => one.id !== id);
      this.dropSources((source) => source === id);
    }

    removeOutput(id) {
      this.document.outputs = this.document.outputs.filter((one) => one.id !== id);
    }

    /* Take a source away wherever it feeds something. */
    dropSources(gone) {
      const without = (entry, key) => {
        if (entry[key] === undefined) return;
        const kept = asList(entry[key]).filter((source) => !gone(source));
        if (kept.length === asList(entry[key]).length) return;
        if (kept.length) entry[key] = Array.isArray(entry[key]) ? kept : kept[0];
        else { delete entry[key]; delete entry.linkMerge; }
      };
      for (const step of this.document.steps) {
        for (const entry of step.in) {
        const before = asList(entry.source).length;
        without(entry, "source");
        // Whoever takes something away sees where it was, to put another in its place.
        if (asList(entry.source).length < before) composer.drawing.showPort(step.id, entry.id);
      }
        step.in = step.in.filter((entry) => Object.keys(entry).length > 1);
      }
      this.document.outputs.forEach((entry) => without(entry, "outputSource"));
    }

    /* Feed an input of a step. Where it takes one value the new source takes the old one's place. */
    connect(source, step, id) {
      let entry = this.taken(step, id);
      if (!entry) step.in.push(entry = { id });
      entry.source = [...asList(entry.source).filter((one) => one !== source), source];
      delete entry.default;
      this.settle(step, entry);
    }

    /* Write the sources of an entry as CWL has them: one alone, as the one item of an array, or many. */
    settle(step, entry) {
      const sink = given(this.sinkType(step, entry.id));
      const many = sink.some((one) => one.endsWith("[]"));
      const whole = (source) => sink.some((one) => given(this.sourceType(source) ?? []).some((other) => one.endsWith("[]") === other.endsWith("[]") && accepts(one, other)));
      const sources = asList(entry.source);
      delete entry.linkMerge;
      if (!many || sources.length === 1) {
        const only = sources.at(-1);
        const item = many && !whole(only) && only !== undefined;
        entry.source = item ? [only] : only;
        if (item) entry.linkMerge = "merge_nested";
      } else if (sources.some((source) => given(this.sourceType(source) ?? []).some((one) => one.endsWith("[]")))) {
        entry.linkMerge = "merge_flattened";
      }
    }

    /* Write anew what a step feeds, and what feeds it, after its results or takings changed. */
    settleAround(step) {
      for (const other of this.document.steps) {
        for (const entry of other.in) {
          const near = other === step || asList(entry.source).some((source) => source.startsWith(`${step.id}/`));
          if (near && entry.source !== undefined) this.settle(other, entry);
        }
      }
      this.retypeOutputs();
    }

    disconnect(source, step, id) {
      const entry = this.taken(step, id);
      const kept = asList(entry.source).filter((one) => one !== source);
      entry.source = kept;
      if (kept.length) this.settle(step, entry);
      else { delete entry.source; delete entry.linkMerge; }
      step.in = step.in.filter((one) => Object.keys(one).length > 1);
    }

    setDefault(step, id, value) {
      let entry = this.taken(step, id);
      if (value === undefined) {
        if (entry) delete entry.default;
      } else {
        if (!entry) step.in.push(entry = { id });
        entry.default = value;
      }
      step.in = step.in.filter((one) => Object.keys(one).length > 1);
    }

    setScatter(step, id, on) {
      const kept = (step.scatter || []).filter((one) => one !== id);
      if (on) kept.push(id);
      step.scatter = kept;
      if (kept.length > 1) step.scatterMethod = step.scatterMethod || "dotproduct";
      else delete step.scatterMethod;
      this.retypeInput(step, id);
      this.settleAround(step);
    }

    /* Give an input of the workflow that feeds nothing else the type of what it feeds. */
    retypeInput(step, id) {
      const sources = this.sources(step, id);
      const input = sources.length === 1 ? this.input(sources[0]) : undefined;
      if (!input) return;
      const fed = this.document.steps.flatMap((one) => one.in).filter((entry) => asList(entry.source).includes(input.id));
      const leaves = this.document.outputs.some((one) => asList(one.outputSource).includes(input.id));
      if (fed.length === 1 && !leaves) input.type = this.sinkType(step, id);
    }

    /* Give a workflow's outputs the types of what feeds them; types that a person widened stay. */
    retypeOutputs() {
      for (const output of this.document.outputs) {
        const from = asList(output.outputSource);
        const type = from.length === 1 ? this.sourceType(from[0]) : undefined;
        if (type !== undefined && !fits(type, output.type)) output.type = type;
        if (type !== undefined && given(type).join() !== given(output.type).join()) output.type = type;
      }
    }

    newInput(step, id, x, y) {
      const port = this.port(step, id);
      const input = { id: this.freeId(id, [...this.document.inputs, ...this.document.steps]), type: this.sinkType(step, id) };
      if (port.label) input.label = port.label;
      if (port.doc) input.doc = port.doc;
      if (port.default !== undefined) input.default = port.default;
      Object.assign(input, { "sbg:x": x, "sbg:y": y });
      this.document.inputs.push(input);
      this.connect(input.id, step, id);
      return input;
    }

    newOutput(source, x, y) {
      const [stepId, port] = source.split("/");
      const step = this.step(stepId);
      const told = composer.document.entries(this.processOf(step).outputs).find((one) => one.id === port);
      const output = { id: this.freeId(port, [...this.document.outputs, ...this.document.steps]), type: this.sourceType(source) };
      if (told.label) output.label = told.label;
      Object.assign(output, { outputSource: source, "sbg:x": x, "sbg:y": y });
      this.document.outputs.push(output);
      return output;
    }

    /* Rename a node; all that it feeds goes on being fed. */
    rename(part, id, name) {
      const others = this.document[part].filter((one) => one.id !== id);
      if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) throw new Error(`${name}: not a name; letters, digits and _ are accepted`);
      if (others.some((one) => one.id === name)) throw new Error(`${name}: there is one already`);
      this.document[part].find((one) => one.id === id).id = name;
      const renamed = (source) => {
        if (part === "inputs") return source === id ? name : source;
        return source.startsWith(`${id}/`) ? `${name}/${source.split("/")[1]}` : source;
      };
      const change = (entry, key) => {
        if (entry[key] !== undefined) entry[key] = Array.isArray(entry[key]) ? entry[key].map(renamed) : renamed(entry[key]);
      };
      if (part !== "outputs") {
        this.document.steps.forEach((step) => step.in.forEach((entry) => change(entry, "source")));
        this.document.outputs.forEach((entry) => change(entry, "outputSource"));
      }
    }

    /* Connect what a step still lacks to inputs of the workflow that have the same name and fit. */
    connectByName(step) {
      const done = [];
      for (const port of composer.document.entries(this.processOf(step).inputs)) {
        const input = this.input(port.id);
        if (!input || this.taken(step, port.id) || !fits(input.type, this.sinkType(step, port.id))) continue;
        this.connect(input.id, step, port.id);
        done.push(port.id);
      }
      return done;
    }
  }

  /* Return CWL entries as a list; those of a mapping get their key as id. */
  function entries(found) {
    if (Array.isArray(found)) return found;
    return Object.entries(found || {}).map(([id, value]) => ({ id, ...(isObject(value) && value.type !== "array" ? value : { type: value }) }));
  }

  return { Workflow, asList, clone, entries, fits, given, isOptional, symbols, variants, words };
})();
