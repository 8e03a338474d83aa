// wasm_run.mjs KERNELS.mjs KERNELS.wasm: runs the cases of standard input (JSON) in the wasm module; for each the
// errors, and the sha256 of each segment's output and of the whole, as JSON. Called by test_kernel_wasm.py.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [library, module] = process.argv.slice(2);
const { Kernels } = await import(pathToFileURL(library));
const bytes = readFileSync(module);
const kernels = await Kernels.compile(bytes);
const { files, cases } = JSON.parse(readFileSync(0, "utf8"));
const contents = files.map((path) => readFileSync(Buffer.from(path, "hex")));

const sum = (part) => createHash("sha256").update(part).digest("hex");

function run({ type, params, segments }) {
  const given = segments.map(({ name, file, from, to, ...rest }) => ({
    name: Buffer.from(name, "hex"),
    bytes: contents[file].subarray(from, to),
    ...rest,
  }));
  const { output, outcomes } = kernels.run(type, params, given);
  let at = 0;
  const parts = outcomes.map(({ length }) => sum(output.subarray(at, (at += length))));
  return { errors: outcomes.map(({ error }) => error), parts, whole: sum(output) };
}

const results = cases.map((one) => {
  try {
    return run(one);
  } catch (error) {
    return { failed: `${error.name === "Error" ? error.constructor.name : error.name}: ${error.message}` };
  }
});
const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).length;
process.stdout.write(JSON.stringify({ imports, kernels: kernels.list(), results }));
