// Reads an AsyncAPI document from stdin; prints its errors as JSON and ends with 1 when there are any.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 0);
const operations = document ? document.operations().all().map((operation) => operation.id()) : [];
process.stdout.write(JSON.stringify({ errors, operations }));
process.exit(errors.length ? 1 : 0);
