// Builds the page into dist/: index.html, which the gateway fills in, and assets/, whose names change with their content.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const done = path.join(here, "dist");
// Put in its place only when it is whole: an interrupted build leaves no half page to be served.
const dist = path.join(here, "dist.new");
const assets = path.join(dist, "assets");

const common = {
  absWorkingDir: here,
  outdir: assets,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  metafile: true,
  // Told whole, with the licence of each package, in licenses.txt.
  legalComments: "none",
  target: ["chrome109", "firefox115", "safari16"],
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
};

/** GraphiQL's style sheet holds Monaco's, which its modules would bring a second time. */
const withoutMonacoStyles = {
  name: "without-monaco-styles",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]monaco-editor[\\/].*\.css$/ }, () => ({ contents: "", loader: "empty" }));
  },
};

/** Fonts stand in the style sheet as data; as files, a browser takes only those whose letters it shows. */
const fontFiles = {
  name: "font-files",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/font-/ }, ({ path: name }) => ({ path: name, external: true }));
    onLoad({ filter: /[\\/]graphiql[\\/]dist[\\/]style\.css$/ }, async ({ path: file }) => {
      const fonts = new Map();
      const text = (await readFile(file, "utf8")).replace(
        /url\(data:font\/(ttf|woff2?);base64,([^)]+)\)/g,
        (_, kind, data) => {
          const bytes = Buffer.from(data, "base64");
          const name = `font-${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.${kind}`;
          fonts.set(name, bytes);
          return `url(./${name})`;
        },
      );
      await Promise.all([...fonts].map(([name, bytes]) => writeFile(path.join(assets, name), bytes)));
      return { contents: text, loader: "css" };
    });
  },
};

/** Name the built file of each entry point. */
function built(result) {
  const entries = Object.entries(result.metafile.outputs).filter(([, { entryPoint }]) => entryPoint);
  return Object.fromEntries(
    entries.map(([file, { entryPoint, cssBundle }]) => [
      path.basename(entryPoint).split(".")[0],
      { script: path.basename(file), style: cssBundle && path.basename(cssBundle) },
    ]),
  );
}

/** Collect the licences of all packages of which something was taken. */
async function licenses(...results) {
  const folders = new Set();
  for (const { metafile } of results)
    for (const input of Object.keys(metafile.inputs)) {
      const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
      if (found) folders.add(found[1]);
    }
  const parts = [];
  for (const folder of [...folders].sort()) {
    const told = JSON.parse(await readFile(path.join(here, folder, "package.json"), "utf8"));
    const files = (await readdir(path.join(here, folder))).filter((name) => /^(licen[cs]e|notice|copying)/i.test(name));
    const texts = await Promise.all(files.sort().map((name) => readFile(path.join(here, folder, name), "utf8")));
    parts.push([`${told.name} ${told.version}, ${told.license}`, ...texts].join("\n\n").trim());
  }
  return parts.join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}

await rm(dist, { recursive: true, force: true });
await mkdir(assets, { recursive: true });

const workers = await build({
  ...common,
  entryPoints: {
    "editor-worker": "monaco-editor/esm/vs/editor/editor.worker.js",
    "graphql-worker": "monaco-graphql/esm/graphql.worker.js",
    "json-worker": "monaco-editor/esm/vs/language/json/json.worker.js",
  },
  format: "iife",
});
const worker = built(workers);
const page = await build({
  ...common,
  entryPoints: { page: "src/page.jsx" },
  format: "esm",
  splitting: true,
  jsx: "automatic",
  define: {
    ...common.define,
    WORKERS: JSON.stringify({
      editor: worker.editor.script,
      graphql: worker.graphql.script,
      json: worker.json.script,
    }),
  },
  plugins: [withoutMonacoStyles, fontFiles],
});

const { script, style } = built(page).page;
const template = await readFile(path.join(here, "src/index.html"), "utf8");
await writeFile(path.join(dist, "index.html"), template.replace("SCRIPT", script).replace("STYLE", style));
await writeFile(path.join(dist, "licenses.txt"), await licenses(workers, page));
await rm(done, { recursive: true, force: true });
await rename(dist, done);

const sizes = await Promise.all(
  (await readdir(path.join(done, "assets"))).map(async (name) => {
    const bytes = await readFile(path.join(done, "assets", name));
    return { name, raw: bytes.length, packed: gzipSync(bytes).length };
  }),
);
const kib = (bytes) => `${Math.ceil(bytes / 1024)} KiB`;
for (const { name, raw, packed } of sizes.filter((one) => one.raw > 50_000).sort((a, b) => b.raw - a.raw))
  console.log(`${name}: ${kib(raw)}, ${kib(packed)} packed`);
const sum = (key) => sizes.reduce((total, one) => total + one[key], 0);
console.log(`${sizes.length} files: ${kib(sum("raw"))}, ${kib(sum("packed"))} packed`);
