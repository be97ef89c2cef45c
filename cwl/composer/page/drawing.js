"use strict";
/* The drawing: cwl-svg shows a model that is made anew from the page's workflow after each change.

   From the drawing come back where nodes lie and what was connected by dragging; everything else
   is changed in the workflow itself. */

composer.drawing = (() => {
  const { clone, asList, fits, given } = composer.document;
  const svg = () => document.getElementById("drawing");
  let graph = null;
  let model = null;
  let workflow = null;
  let handlers = {};
  let drawing = false;
  const shown = new Set(); // ports without a connection that were asked for: "step/port"

  function modelOf(flow) {
    const embedded = clone(flow.document);
    for (const step of embedded.steps) step.run = clone(flow.processOf(step));
    const made = cwlSvg.WorkflowFactory.from(embedded);
    for (const step of made.steps) {
      const named = flow.step(step.id);
      for (const port of step.in) if (shown.has(`${step.id}/${port.id}`) || flow.isNeeded(named, port.id)) port.isVisible = true;
    }
    for (const event of ["connection.create", "input.create", "output.create"]) made.on(event, () => later());
    return made;
  }

  let waiting = false;
  function later() {
    if (drawing || waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; handlers.changed(takeBack()); });
  }

  const placeOf = (one) => ({ "sbg:x": Math.round(Number(one.customProps["sbg:x"])), "sbg:y": Math.round(Number(one.customProps["sbg:y"])) });

  /* Take what was dragged on the drawing into the workflow; return what was done, in words. */
  function takeBack() {
    const said = [];
    for (const part of ["inputs", "steps", "outputs"]) {
      for (const drawn of model[part]) {
        const entry = workflow.document[part].find((one) => one.id === drawn.id);
        if (entry && Number.isFinite(Number(drawn.customProps["sbg:x"]))) Object.assign(entry, placeOf(drawn));
      }
    }
    for (const drawn of model.steps) {
      const step = workflow.step(drawn.id);
      for (const port of drawn.in) {
        for (const source of port.source) {
          if (workflow.sources(step, port.id).includes(source)) continue;
          const input = model.inputs.find((one) => one.id === source);
          if (input && !workflow.input(source)) {
            const made = workflow.newInput(step, port.id, placeOf(input)["sbg:x"], placeOf(input)["sbg:y"]);
            said.push(`${made.id} is a new input of the workflow`);
          } else {
            workflow.connect(source, step, port.id);
            said.push(`${source} feeds ${step.id}/${port.id}`);
          }
        }
      }
    }
    for (const drawn of model.outputs) {
      const output = workflow.output(drawn.id);
      const from = drawn.source[0];
      if (!output && from) {
        const made = workflow.newOutput(from, placeOf(drawn)["sbg:x"], placeOf(drawn)["sbg:y"]);
        said.push(`${made.id} is a new output of the workflow`);
      } else if (output) {
        const added = drawn.source.filter((source) => !asList(output.outputSource).includes(source));
        if (added.length) {
          output.outputSource = added.at(-1);
          workflow.retypeOutputs();
          said.push(`${added.at(-1)} is given out as ${output.id}`);
        }
      }
    }
    return said;
  }

  function draw(flow, fresh = false) {
    drawing = true;
    workflow = flow;
    model = modelOf(flow);
    if (graph === null) {
      const selection = new cwlSvg.SelectionPlugin();
      graph = new cwlSvg.Workflow({
        model,
        svgRoot: svg(),
        plugins: [
          new cwlSvg.SVGArrangePlugin(),
          new cwlSvg.SVGNodeMovePlugin({ movementSpeed: 10 }),
          new cwlSvg.SVGPortDragPlugin(),
          new cwlSvg.SVGEdgeHoverPlugin(),
          selection,
          new cwlSvg.ZoomPlugin(),
        ],
      });
      graph.minScale = 0.1;
      selection.registerOnSelectionChange((element) => handlers.selected(element ? selectionOf(element) : null));
      graph.on("afterChange", later);
    } else {
      if (fresh) graph.getPlugin(cwlSvg.SelectionPlugin).clearSelection();
      graph.draw(model);
    }
    if (fresh) fit();
    drawing = false;
    tellEdges();
    handlers.drawn();
  }

  /* Tell connections that carry a setting from those that carry files, which are the way of the data,
     and those whose ends do not fit. The library's own check of these is wrong where jobs are dealt out. */
  function tellEdges() {
    for (const edge of svg().querySelectorAll(".edge")) {
      const { source, node, port, output } = selectionOf(edge);
      const type = workflow.sourceType(source);
      const files = type === undefined || given(type).some((one) => /^(File|Directory)/.test(one));
      const sink = output ? workflow.output(node)?.type : workflow.sinkType(workflow.step(node), port);
      edge.classList.toggle("is-setting", !files);
      edge.classList.toggle("is-wrong", type === undefined || sink === undefined || !fits(type, sink));
    }
  }

  function partOf(node) {
    return node.classList.contains("step") ? "steps" : node.classList.contains("input") ? "inputs" : "outputs";
  }

  function selectionOf(element) {
    if (element.classList.contains("node")) return { part: partOf(element), id: element.dataset.id };
    const [, , fromPort] = element.dataset.sourceConnection.split("/");
    const [, fromNode] = element.dataset.sourceConnection.split("/");
    const [, toNode, toPort] = element.dataset.destinationConnection.split("/");
    const source = workflow.input(fromNode) && fromNode === fromPort ? fromNode : `${fromNode}/${fromPort}`;
    return { part: "edges", source, node: toNode, port: toPort, output: !workflow.step(toNode) };
  }

  const nodes = () => [...svg().querySelectorAll(".node")];
  function nodeOf(part, id) {
    return nodes().find((one) => partOf(one) === part && one.dataset.id === id);
  }

  function select(part, id) {
    const plugin = graph.getPlugin(cwlSvg.SelectionPlugin);
    plugin.clearSelection();
    const node = part && nodeOf(part, id);
    if (node) plugin.materializeClickOnElement(node);
  }

  function fit() {
    if (nodes().length) graph.fitToViewport(true);
  }

  function zoom(by) {
    graph.scale = Math.min(graph.maxScale, Math.max(graph.minScale, graph.scale * by));
  }

  /* Return the point of the drawing under a point of the window; its middle without one. */
  function pointAt(x, y) {
    const box = svg().getBoundingClientRect();
    const point = graph.transformScreenCTMtoCanvas(x ?? box.left + box.width / 2, y ?? box.top + box.height / 2);
    return { x: Math.round(point.x), y: Math.round(point.y) };
  }

  function arrange() {
    graph.getPlugin(cwlSvg.SVGArrangePlugin).arrange();
    later();
  }

  function showPort(step, port) {
    shown.add(`${step}/${port}`);
  }

  /* Hang a short text at a node: a fault's mark, or how far its jobs are. */
  function mark(node, kind, text) {
    node.querySelector(`.mark-${kind}`)?.remove();
    node.classList.toggle(`has-${kind}`, text !== null);
    if (text === null) return;
    const outer = Number(node.querySelector(".outer").getAttribute("r"));
    const label = cryoverdict.drawing("text", { class: "mark-text", y: "4", text });
    const half = Math.max(11, text.length * 4 + 7);
    const at = kind === "fault" ? -outer * 0.75 : outer * 0.75;
    node.append(cryoverdict.drawing("g", { class: `mark mark-${kind}`, transform: `translate(${at}, ${-outer * 0.85})` },
      cryoverdict.drawing("rect", { x: -half, y: -11, width: 2 * half, height: 22, rx: 11 }), label));
  }

  return {
    use(found) { handlers = found; },
    draw, takeBack, select, fit, zoom, arrange, pointAt, showPort, nodes, nodeOf, partOf, mark,
    nodeUnder(x, y) { return document.elementFromPoint(x, y)?.closest?.("#drawing .node.step") || null; },
    covers(x, y) { return Boolean(document.elementFromPoint(x, y)?.closest?.("#drawing")); },
    forget() { shown.clear(); },
  };
})();
