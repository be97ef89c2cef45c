"use strict";
/* The ground under every page: data that registers itself, elements, numbers, the theme.

   A page opened from a disk may not fetch; it may load scripts. So each data file is one call of
   `cryoverdict.register(name, value)`, and `cryoverdict.load(name)` promises the value. What comes
   from users' files reaches the page through `textContent` and attributes only, never as HTML. */

window.cryoverdict = (() => {
  const values = new Map();
  const promises = new Map();

  function register(name, value) {
    values.set(name, value);
  }

  /* Return what a script that stands in the page itself has registered. */
  function given(name) {
    if (!values.has(name)) throw new Error(`data/${name}.js is missing or damaged`);
    return values.get(name);
  }

  /* Promise the value of data/NAME.js, loaded once. */
  function load(name) {
    if (values.has(name)) return Promise.resolve(values.get(name));
    if (!promises.has(name)) {
      promises.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => {
          script.remove();
          promises.delete(name);
          if (values.has(name)) resolve(values.get(name));
          else reject(new Error(`data/${name}.js is damaged`));
        };
        script.onerror = () => {
          script.remove();
          promises.delete(name);
          reject(new Error(`data/${name}.js is missing from this report's folder`));
        };
        document.head.append(script);
      }));
    }
    return promises.get(name);
  }

  /* Let the memory of a value go; `load` fetches it again. */
  function forget(name) {
    values.delete(name);
  }

  const SVG = "http://www.w3.org/2000/svg";

  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "text") made.textContent = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "style") Object.assign(made.style, value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return made;
  }

  /* Make an element: `element("b", {class: "x", onclick: f}, "text", child)`. */
  function element(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  function drawing(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }

  const UNITS = { 1: "", A: "Å", um: "µm", deg: "°", px: "px", count: "", "1/A": "Å⁻¹", "1/px": "px⁻¹" };
  const POWERS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

  function trimmed(text) {
    return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  }

  /* Write a number; the same as `write_number` of reports/number.py. */
  function number(value, digits = 4) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    const sign = value < 0 ? "−" : "";
    if (size !== 0 && (size >= 1e7 || size < 1e-3)) {
      const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
      const power = [...String(Number(exponent))].map((c) => POWERS[c]).join("");
      return `${sign}${trimmed(mantissa)}×10${power}`;
    }
    const whole = String(Math.trunc(size)).length;
    const decimals = Number.isInteger(size) ? 0 : Math.max(0, digits - (size >= 1 ? whole : 0));
    const text = size.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    return sign + (decimals ? trimmed(text) : text);
  }

  function unitSign(unit) {
    return unit in UNITS ? UNITS[unit] : unit;
  }

  function quantity(value, unit, digits = 4) {
    const sign = unitSign(unit);
    if (value === null || value === undefined || !sign) return number(value, digits);
    return sign === "°" ? number(value, digits) + sign : `${number(value, digits)} ${sign}`;
  }

  /* A probability never looks certain when it is not. */
  function probability(value) {
    if (value === null || value === undefined) return "–";
    if (value > 0 && value < 0.0005) return "<0.001";
    if (value < 1 && value >= 0.9995) return ">0.999";
    return value.toFixed(3);
  }

  function signed(value, decimals = 2) {
    const text = Math.abs(value).toFixed(decimals);
    if (Number(text) === 0) return text;
    return (value < 0 ? "−" : "+") + text;
  }

  /* The theme: what the system prefers, until the reader chooses. Memory may be forbidden. */
  const theme = (() => {
    const KEY = "cryoverdict-theme";
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let chosen = null;
    try { chosen = localStorage.getItem(KEY); } catch { /* private window: ask the system */ }
    const show = () => {
      document.documentElement.dataset.theme = chosen || (dark.matches ? "dark" : "light");
    };
    dark.addEventListener("change", show);
    show();
    return {
      toggle() {
        chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
        try { localStorage.setItem(KEY, chosen); } catch { /* not kept */ }
        show();
      },
    };
  })();

  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", theme.toggle);
  });

  return { register, given, load, forget, element, drawing, number, unitSign, quantity, probability, signed, theme };
})();
