/**
 * Bundles the page's modules into the one ESM and the one style sheet that anywidget can load. The script is
 * packed, because a notebook stores it with every widget: the bundle unpacks and imports itself, once for all
 * widgets of a page.
 *
 *     npm run build             writes them
 *     npm run build -- --check  fails if they are not what the modules make
 *
 * The first line of each names the sources it was made of by their digest: so a test without Node.js can tell
 * whether it is fresh.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../locus_nb/", import.meta.url));

/** @param {string} ending */
function digest(ending) {
  const hash = createHash("sha256");
  const names = readdirSync(`${root}page`).filter((name) => name.endsWith(ending));
  for (const name of names.sort()) {
    hash.update(`${name}\0`).update(readFileSync(`${root}page/${name}`)).update("\0");
  }
  return hash.digest("hex");
}

/**
 * @param {string} entry
 * @param {string} ending
 */
async function bundle(entry, ending) {
  const { outputFiles } = await build({
    entryPoints: [`${root}page/${entry}`],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    write: false,
    logLevel: "warning",
  });
  const { text } = outputFiles[0];
  return `${firstLine(ending)}${ending === ".css" ? tight(text) : text}`;
}

/**
 * With the blocks of all files in one, and without spaces in the values of variables, all of which esbuild keeps;
 * variables that no script names have short names.
 *
 * @param {string} style
 */
function tight(style) {
  const scripts = readdirSync(`${root}page`)
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(`${root}page/${name}`, "utf8"))
    .join();
  const known = new Set(style.match(/--l-[\w-]+/g));
  const own = [...known].filter((name) => !scripts.includes(name));
  return style
    .replaceAll("}.locus-live{", "")
    .replace(/(?<=--[\w-]+:|[(,]) +/g, "")
    .replace(/--l-[\w-]+/g, (name) => (own.includes(name) ? `--l${own.indexOf(name)}` : name));
}

/** @param {string} ending */
const firstLine = (ending) =>
  `/* locus_nb/page, sha256 ${digest(ending)}; made by npm run build in tests/js */\n`;

/** @param {string} script */
function pack(script) {
  // The name stands in the page's error messages.
  const packed = gzipSync(`${script}//# sourceURL=locus_nb/static/live.js\n`, { level: 9 }).toString("base64");
  const known = `globalThis[Symbol.for("locus_nb/page ${digest(".js")}")]`;
  return `${firstLine(".js")}const packed = "${packed}";
async function unpack() {
  const bytes = Uint8Array.fromBase64?.(packed) ?? Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = new Blob([await new Response(stream).text()], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  try {
    return await import(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}
export default (await (${known} ??= unpack())).default;
`;
}

/**
 * What a bundle says, however well this machine packs.
 *
 * @param {string} text
 */
const unpacked = (text) =>
  text.replace(/(?<=^const packed = ")[^"]*/m, (packed) => gunzipSync(Buffer.from(packed, "base64")).toString());

const made = {
  "live.js": pack(await bundle("main.js", ".js")),
  "live.css": await bundle("live.css", ".css"),
};
for (const [name, text] of Object.entries(made)) {
  const path = `${root}static/${name}`;
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (unpacked(readFileSync(path, "utf8")) !== unpacked(text)) {
    process.stderr.write(`locus_nb/static/${name} is not what locus_nb/page makes: npm run build\n`);
    process.exitCode = 1;
  }
}
