// Builds what the wheel ships: one script, Loro's WebAssembly beside it, and the licences of all that is in them.
// With --check it writes nothing, and tells whether what is shipped is what would be built.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const into = join(here, "../src/concordant_loro/static");
const modules = join(here, "node_modules");

const { outputFiles, metafile } = await build({
  entryPoints: [join(here, "editor.js")],
  absWorkingDir: here,
  alias: { "loro-crdt": "loro-crdt/web" }, // all import one module, whose WebAssembly is fetched by its address
  bundle: true,
  format: "esm",
  legalComments: "none",
  metafile: true,
  minify: true,
  target: "es2022",
  write: false,
});

const MIT = readFileSync(join(modules, "loro-crdt/LICENSE"), "utf8").replace(/Copyright.*/, "Copyright (c) OWNER").trim();
const packages = [...new Set(Object.keys(metafile.inputs).flatMap((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []))];
const licence = (name) => {
  const { version, license, author } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  let text = "";
  for (const file of ["LICENSE", "LICENSE.md", "license", "LICENCE"]) {
    try {
      text = readFileSync(join(modules, name, file), "utf8").trim();
      break;
    } catch { /* it goes by another name */ }
  }
  // Some packages say that theirs is MIT, and leave its text out.
  if (!text && license === "MIT") text = MIT.replace("OWNER", typeof author === "string" ? author : author.name);
  if (!text) throw new Error(`${name} has no licence`);
  return `${name} ${version} (${license})\n\n${text}\n`;
};

const files = {
  "editor.js": Buffer.from(outputFiles[0].contents),
  "loro.wasm": readFileSync(join(modules, "loro-crdt/web/loro_wasm_bg.wasm")),
  "LICENSES.txt": Buffer.from(
    `editor.js and loro.wasm were made of these packages of npm's.\n\n${packages.sort().map(licence).join(`\n${"-".repeat(80)}\n\n`)}`,
  ),
};
const stale = Object.entries(files).filter(([name, content]) => {
  try {
    return !readFileSync(join(into, name)).equals(content);
  } catch {
    return true;
  }
});
if (process.argv.includes("--check")) {
  if (stale.length) console.error(`not what would be built: ${stale.map(([name]) => name).join(", ")}. Run: make editor`);
  process.exit(stale.length ? 1 : 0);
}
for (const [name, content] of stale) writeFileSync(join(into, name), content);
