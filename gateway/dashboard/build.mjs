// node build.mjs DIST DEPFILE NPM required|optional: builds the page into DIST and packs what shrinks. Called by meson.
// The packages are fetched again only when package-lock.json has changed. With `optional` a registry that is out of
// reach leaves DIST empty: a gateway without a page rather than none.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const [dist, depfile, npm, need] = process.argv.slice(2);
const out = resolve(dist);

function step(command, args) {
  const done = spawnSync(command, args, { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  if (done.status === 0) return true;
  console.error(`${args.join(" ")} failed:\n${done.stdout ?? ""}${done.stderr ?? done.error}`);
  return false;
}

function fetchPackages() {
  const lock = join(here, "package-lock.json");
  const stamp = join(here, "node_modules", ".fetched.json");
  const same = (() => {
    try {
      return readFileSync(lock, "utf8") === readFileSync(stamp, "utf8");
    } catch {
      return false;
    }
  })();
  if (same) return true;
  if (!step(npm, ["ci", "--ignore-scripts", "--prefer-offline", "--no-progress"])) return false;
  copyFileSync(lock, stamp);
  return true;
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function pack(path) {
  const plain = readFileSync(path);
  const packed = gzipSync(plain, { level: 9 });
  if (packed.length < plain.length * 0.9) writeFileSync(`${path}.gz`, packed);
}

const sources = [
  ...filesBelow(join(here, "src")),
  ...["index.html", "package-lock.json", "vite.config.ts", "tsconfig.json"].map((name) => join(here, name)),
];
writeFileSync(depfile, `${dist}: ${sources.map((path) => path.replaceAll(" ", "\\ ")).join(" ")}\n`);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
if (!fetchPackages()) {
  console.error("the dashboard was not built: its packages could not be fetched");
  process.exit(need === "required" ? 1 : 0);
}
const vite = join(here, "node_modules", "vite", "bin", "vite.js");
const tsc = join(here, "node_modules", "typescript", "bin", "tsc");
if (!step(process.execPath, [tsc, "--noEmit"])) process.exit(1);
if (!step(process.execPath, [vite, "build", "--outDir", out, "--emptyOutDir", "--logLevel", "warn"]))
  process.exit(1);
for (const path of filesBelow(out)) pack(path);
console.log(
  `page: ${filesBelow(out)
    .filter((path) => path.endsWith(".gz"))
    .reduce((sum, path) => sum + statSync(path).size, 0)} bytes compressed`,
);
