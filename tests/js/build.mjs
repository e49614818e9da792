/**
 * Bundles the page's modules into the one ESM and the one style sheet that anywidget can load.
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
  return `/* locus_nb/page, sha256 ${digest(ending)}; made by npm run build in tests/js */\n${outputFiles[0].text}`;
}

const made = { "live.js": await bundle("main.js", ".js"), "live.css": await bundle("live.css", ".css") };
for (const [name, text] of Object.entries(made)) {
  const path = `${root}static/${name}`;
  if (!process.argv.includes("--check")) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    process.stderr.write(`locus_nb/static/${name} is not what locus_nb/page makes: npm run build\n`);
    process.exitCode = 1;
  }
}
