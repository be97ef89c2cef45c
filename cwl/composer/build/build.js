/* Bundles cwl-svg and cwlts into ../page/cwl-svg.js, the licences of all that is in it on top.

   npm ci --ignore-scripts && npm run build

   Best in a copy of this folder's parent, so that node_modules stays out of the repository. The
   same versions give the same bytes. The two libraries' packages carry no licence file, so the
   text of the Apache License 2.0 is taken from this project's own LICENSE; give its path as the
   first argument where the copy lies elsewhere. */
"use strict";

const fs = require("fs");
const path = require("path");
const esbuild = require("esbuild");

const target = path.join(__dirname, "..", "page", "cwl-svg.js");
const apache = process.argv[2] || path.join(__dirname, "..", "..", "..", "LICENSE");
const modules = path.join(__dirname, "node_modules");

/* Return the packages that a bundle is made of, by the paths of its inputs. */
function packagesOf(metafile) {
  const names = Object.keys(metafile.inputs)
    .map((file) => file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/))
    .filter(Boolean)
    .map((match) => match[1]);
  return [...new Set(names)].sort();
}

/* Return a package's own licence text, or nothing where it carries none. */
function licenceOf(name) {
  const file = ["LICENSE", "LICENSE.md", "LICENSE.txt"]
    .map((one) => path.join(modules, name, one))
    .find((one) => fs.existsSync(one));
  return file ? fs.readFileSync(file, "utf8").trim() : "";
}

const built = esbuild.buildSync({
  entryPoints: [path.join(__dirname, "entry.js")],
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "cwlSvg",
  target: "es2020",
  legalComments: "inline",
  charset: "utf8",
  metafile: true,
  write: false,
  // The libraries report every redrawn edge.
  drop: ["console"],
});

const notes = packagesOf(built.metafile).map((name) => {
  const about = JSON.parse(fs.readFileSync(path.join(modules, name, "package.json"), "utf8"));
  const own = licenceOf(name);
  return `${name} ${about.version}, ${about.license}${own ? `\n\n${own}\n` : ": the text is below."}`;
});
const head = [
  "This file is a build of other people's work: see cwl/composer/build in cryoverdict's repository.",
  "It is not changed but for the bundling: comments and console messages are left out.",
  ...notes,
  fs.readFileSync(apache, "utf8").trim(),
].join("\n\n");
const text = `/*!\n${head.replaceAll("*/", "* /")}\n*/\n${built.outputFiles[0].text}`;
fs.writeFileSync(target, text);
console.log(`${target}: ${Buffer.byteLength(text)} bytes; ${packagesOf(built.metafile).join(", ")}`);
