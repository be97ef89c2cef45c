// Load CWL documents with the Rabix Composer's model library, save them twice, and say what it said.
//
// node load.cjs LIBRARY EVALUATOR FOLDER FILE…  → one JSON object a line.
// LIBRARY is the installed package (cwlts), EVALUATOR the one that has a JSExecutor; FOLDER
// receives what the library saves.
const fs = require("fs");
const path = require("path");

const [library, evaluator, folder, ...files] = process.argv.slice(2);
const at = (name, inside) => require(path.join(process.cwd(), "node_modules", name, inside));
const yaml = require(path.join(process.cwd(), "node_modules", "js-yaml"));
const models = at(library, "models");
// The Composer hands its own evaluator to the library; without one no reference can be checked.
at(library, "models/helpers/ExpressionEvaluator").ExpressionEvaluator.evaluateExpression =
  at(evaluator, "models/helpers/JSExecutor").JSExecutor.evaluate;

function read(file) {
  const read_yaml = yaml.safeLoad || yaml.load;
  const document = read_yaml(fs.readFileSync(file, "utf8"));
  for (const step of document.steps || []) {
    if (typeof step.run === "string") step.run = read(path.resolve(path.dirname(file), step.run));
  }
  return document;
}

function load(document) {
  const copy = JSON.parse(JSON.stringify(document));
  const factory = copy.class === "Workflow" ? models.WorkflowFactory : models.CommandLineToolFactory;
  return factory.from(copy);
}

async function main() {
  for (const file of files) {
    const model = load(read(file));
    await model.validate();
    const first = model.serialize();
    const second = load(first).serialize();
    const saved = path.join(folder, `${path.basename(file, ".cwl")}.json`);
    fs.writeFileSync(saved, JSON.stringify(first));
    const told = {
      file: path.basename(file),
      errors: model.errors.map((one) => one.message),
      warnings: model.warnings.map((one) => one.message),
      stable: JSON.stringify(first) === JSON.stringify(second),
      steps: (model.steps || []).map((step) => step.id),
      saved,
    };
    console.log(JSON.stringify(told));
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
