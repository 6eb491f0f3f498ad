// Reads an AsyncAPI document with AsyncAPI's own parser; prints what it has to say, and the operations it found, as JSON.
// Arguments: the folder whose node_modules has @asyncapi/parser, the file.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, file] = process.argv.slice(2);
const { Parser } = createRequire(join(folder, "package.json"))("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
console.log(
  JSON.stringify({
    diagnostics: diagnostics.map(({ code, message, path }) => ({ code, message, path: path.join(".") })),
    operations: document ? document.operations().all().map((operation) => operation.id()) : [],
  }),
);
