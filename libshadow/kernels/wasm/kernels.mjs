// The kernels in a browser or in Node: one wasm module without imports (README.md). Used by the page's Web Worker and
// by tests/contract; needs no SharedArrayBuffer and no crypto.subtle, and keeps nothing from one run to the next.

/**
 * One segment, in the chunk's order; a whole file where only `name` and `bytes` are given.
 * @typedef {object} Segment
 * @property {string | Uint8Array} name as the user gave it
 * @property {Uint8Array} bytes `lead` bytes before the segment, its `size` bytes, then what may be read on
 * @property {number} [size] bytes owned (default: all of `bytes` but `lead`)
 * @property {number} [offset] where they begin in the file (default 0)
 * @property {number} [fileSize] of the whole file (default: offset + size)
 * @property {number} [lead] 0 or 1 (default 0)
 * @property {number} [mode] Unix permissions
 * @property {number} [mtime] Unix seconds
 */
/** @typedef {{length: number, error: string}} Outcome bytes of output; words of an input error, else "" */
/** @typedef {{output: Uint8Array, outcomes: Outcome[]}} Result the outputs one after another */
/** @typedef {{type: string, rev: number, engine: string, ops?: string[]}} Kernel as register-device wants it */

/**
 * @typedef {object} Wasm an instance's exports (README.md)
 * @property {WebAssembly.Memory} memory
 * @property {() => void} _initialize
 * @property {(size: number) => number} kernel_alloc
 * @property {(address: number) => void} kernel_free
 * @property {() => number} kernel_list
 * @property {(texts: number, size: number) => number} kernel_open
 * @property {(kernel: number, request: number) => number} kernel_run
 * @property {(kernel: number) => number} kernel_output
 * @property {(kernel: number) => number} kernel_output_size
 * @property {() => number} kernel_words
 * @property {(kernel: number) => void} kernel_close
 */
/** @typedef {{bytes: Uint8Array, error: string}} Part what a segment gave */

/** The run itself failed: no result of any file. The chunk goes to another device. */
export class KernelFailed extends Error {}

/** Largest input of one segment: a grain of 64 MiB, its lead, and 32 MiB and a byte of tail. */
export const INPUT_BYTES_MAX = 96 * 2 ** 20 + 2;

const REQUEST_BYTES = 56;
const RUN_OK = 0;
const RUN_INPUT_ERROR = 1;
/** An instance's memory never shrinks: one that grew beyond this is not kept. */
const KEPT_BYTES_MAX = 64 * 2 ** 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Kernels {
  #module;
  /** @type {Wasm | null} null: the next run makes one */
  #wasm = null;

  /** @param {WebAssembly.Module} module */
  constructor(module) {
    this.#module = module;
  }

  /**
   * @param {BufferSource} bytes of shadow-kernels.wasm
   * @returns {Promise<Kernels>}
   */
  static async compile(bytes) {
    return new Kernels(await WebAssembly.compile(bytes));
  }

  /** What the module offers. @returns {Kernel[]} */
  list() {
    return this.#guarded((wasm) =>
      text(wasm, wasm.kernel_list()).trimEnd().split("\n").map((line) => {
        const [type, rev, engine, ops] = line.split("\t");
        return { type, rev: Number(rev), engine, ...(ops && { ops: ops.trim().split(" ") }) };
      }),
    );
  }

  /**
   * Runs a kernel over the segments of one chunk. Throws KernelFailed; after a trap too, and then the next run has a
   * fresh instance.
   * @param {string} type
   * @param {Record<string, string | number | boolean>} params
   * @param {Segment[]} segments
   * @returns {Result}
   */
  run(type, params, segments) {
    const texts = [type, ...Object.entries(params).flatMap(([name, value]) => [name, String(value)])];
    if (texts.some((word) => word.includes("\0"))) throw new KernelFailed("a parameter has a NUL character");
    return this.#guarded((wasm) => {
      const given = put(wasm, encoder.encode(texts.map((word) => `${word}\0`).join("")));
      const kernel = wasm.kernel_open(given.at, given.size);
      if (!kernel) throw new KernelFailed(text(wasm, wasm.kernel_words()));
      wasm.kernel_free(given.at); // its values are read, none is kept
      const parts = segments.map((segment) => runSegment(wasm, kernel, segment));
      wasm.kernel_close(kernel);
      return joined(parts);
    });
  }

  /**
   * Whatever goes wrong inside discards the instance: its memory may be in any state.
   * @template T
   * @param {(wasm: Wasm) => T} work
   * @returns {T}
   */
  #guarded(work) {
    this.#wasm ??= start(this.#module);
    const wasm = this.#wasm;
    try {
      const result = work(wasm);
      if (wasm.memory.buffer.byteLength > KEPT_BYTES_MAX) this.#wasm = null;
      return result;
    } catch (error) {
      this.#wasm = null;
      if (error instanceof KernelFailed) throw error;
      throw new KernelFailed(`the kernel crashed: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** @param {WebAssembly.Module} module */
function start(module) {
  const wasm = /** @type {Wasm} */ (/** @type {unknown} */ (new WebAssembly.Instance(module, {}).exports));
  wasm._initialize();
  return wasm;
}

// Views are made anew each time: they come loose when the memory grows.
/** @param {Wasm} wasm @param {Uint8Array} bytes */
function put(wasm, bytes) {
  const at = wasm.kernel_alloc(bytes.length);
  if (!at) throw new KernelFailed(`no memory for ${bytes.length} bytes`);
  new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
  return { at, size: bytes.length };
}

/** @param {Wasm} wasm @param {number} at */
function text(wasm, at) {
  const memory = new Uint8Array(wasm.memory.buffer);
  return decoder.decode(memory.subarray(at, memory.indexOf(0, at)));
}

/** @param {Wasm} wasm @param {number} kernel @param {Segment} segment @returns {Part} */
function runSegment(wasm, kernel, segment) {
  const { bytes, lead = 0, offset = 0, mode = 0, mtime = 0 } = segment;
  const size = segment.size ?? bytes.length - lead;
  if (bytes.length > INPUT_BYTES_MAX) throw new KernelFailed(`a file's part of ${bytes.length} bytes is too large`);
  const name = put(wasm, typeof segment.name === "string" ? encoder.encode(segment.name) : segment.name);
  const input = put(wasm, bytes);
  const request = put(wasm, new Uint8Array(REQUEST_BYTES));
  const view = new DataView(wasm.memory.buffer, request.at, REQUEST_BYTES);
  [name.at, name.size, input.at, input.size].forEach((value, i) => view.setUint32(4 * i, value, true));
  [segment.fileSize ?? offset + size, offset, size].forEach((value, i) =>
    view.setBigUint64(16 + 8 * i, BigInt(value), true),
  );
  view.setBigInt64(40, BigInt(Math.trunc(mtime)), true);
  view.setUint32(48, mode, true);
  view.setUint32(52, lead, true);
  const code = wasm.kernel_run(kernel, request.at);
  for (const { at } of [name, input, request]) wasm.kernel_free(at);
  if (code === RUN_INPUT_ERROR) return { bytes: new Uint8Array(0), error: text(wasm, wasm.kernel_words()) };
  if (code !== RUN_OK) throw new KernelFailed(text(wasm, wasm.kernel_words()));
  const at = wasm.kernel_output(kernel);
  return { bytes: new Uint8Array(wasm.memory.buffer).slice(at, at + wasm.kernel_output_size(kernel)), error: "" };
}

/** @param {Part[]} parts @returns {Result} */
function joined(parts) {
  const output = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0));
  let at = 0;
  for (const part of parts) {
    output.set(part.bytes, at);
    at += part.bytes.length;
  }
  return { output, outcomes: parts.map((part) => ({ length: part.bytes.length, error: part.error })) };
}
