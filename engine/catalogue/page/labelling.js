// One micrograph at a time, by keyboard. The server holds the state; the page shows it.
"use strict";

const KEEP = [["g", "great", "keep, great"], ["d", "decent", "keep, decent"]];
const DEFECTS = [
  ["c", "contamination", "contamination"],
  ["f", "film", "film, crack, tear, bar"],
  ["e", "empty_no_ice", "empty hole, no ice"],
  ["v", "empty_vitreous_ice", "vitreous ice, no particles"],
  ["i", "crystalline_ice", "crystalline ice"],
  ["t", "thick_ice", "thick ice"],
  ["m", "drift", "drift, motion"],
  ["o", "bad_ctf", "out of focus, bad CTF"],
  ["b", "broken_exposure", "broken exposure"],
  ["l", "low_dose", "too low dose"],
];
const REST = [
  ["x", "reject", "reject (marked defects)"],
  ["s", "skip", "skip for now"],
  ["u", "undo", "undo"],
  ["q", "finish", "end"],
];

const $ = (id) => document.getElementById(id);
const marked = new Set();
let shown = null;
let busy = false;

async function ask(path, told) {
  if (busy) return;
  busy = true;
  try {
    const options = told === undefined ? {} : { method: "POST", body: JSON.stringify(told) };
    const answer = await fetch(path, options);
    const state = await answer.json();
    if (!answer.ok) throw new Error(state.error);
    $("fault").hidden = true;
    show(state, path === "finish");
  } catch (error) {
    $("fault").textContent = `Not done: ${error.message}`;
    $("fault").hidden = false;
  } finally {
    busy = false;
  }
}

function show(state, ended) {
  shown = ended ? null : state.shown;
  marked.clear();
  paintMarks();
  $("progress").textContent = `${state.rater}: ${state.given} labelled, ${state.waiting} to go`;
  $("work").hidden = shown === null;
  $("done").hidden = shown !== null;
  if (ended) $("done").textContent = "Ended. This page can be closed.";
  if (shown === null) {
    $("name").textContent = "";
    $("about").textContent = "";
    return;
  }
  const pixel = shown.pixel_size_a === null ? "pixel size unknown" : `${shown.pixel_size_a} Å a pixel`;
  $("name").textContent = shown.name;
  $("about").textContent = `${shown.data_set}, ${shown.columns_px} × ${shown.rows_px}, ${pixel}`;
  $("thumbnail").src = `thumbnail/${shown.number}`;
  $("spectrum").src = `spectrum/${shown.number}`;
}

function paintMarks() {
  for (const button of $("defects").children) {
    button.setAttribute("aria-pressed", String(marked.has(button.dataset.name)));
  }
}

function judge(favourable, grade) {
  if (shown === null) return;
  ask("label", { number: shown.number, favourable, grade, defects: [...marked] });
}

function act(key, shift) {
  const grade = KEEP.find(([k]) => k === key);
  const defect = DEFECTS.find(([k]) => k === key);
  if (grade) judge(true, grade[1]);
  else if (defect && shift) {
    if (!marked.delete(defect[1])) marked.add(defect[1]);
    paintMarks();
  } else if (defect) {
    marked.add(defect[1]);
    judge(false, null);
  } else if (key === "x") judge(false, null);
  else if (key === "s" && shown !== null) ask("skip", { number: shown.number });
  else if (key === "u" || key === "Backspace") ask("undo", {});
  else if (key === "q") ask("finish", {});
}

function buttons(id, choices) {
  for (const [key, name, text] of choices) {
    const button = document.createElement("button");
    const mark = document.createElement("kbd");
    mark.textContent = key;
    button.append(mark, text);
    button.dataset.name = name;
    button.type = "button";
    button.addEventListener("click", (event) => { act(key, event.shiftKey); button.blur(); });
    $(id).append(button);
  }
}

buttons("keep", KEEP);
buttons("defects", DEFECTS);
buttons("rest", REST);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.target instanceof HTMLButtonElement && (key === "Enter" || key === " ")) return;
  act(key, event.shiftKey);
});
ask("state");
