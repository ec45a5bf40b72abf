// Bundles source/ into built/, with the licences of what is bundled beside it: npm ci && npm run build
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const at = (...parts) => join(root, ...parts);

/** Digest of everything that the bundle is made of; a test compares it with the sources. */
function digest() {
  const files = readdirSync(at("source"), { recursive: true }).map(String).sort();
  const hash = createHash("sha256");
  for (const name of [...files.map((file) => join("source", file)), "package-lock.json", "build.mjs"]) {
    if (/\.(js|mjs|css|html|svg|json)$/.test(name)) {
      hash.update(`${name.replaceAll("\\", "/")}\n`).update(readFileSync(at(name)));
    }
  }
  return hash.digest("hex");
}

/** The packages whose files are in the bundle, each with its licence as it was published. */
function licences(inputs) {
  const found = new Set();
  for (const file of Object.keys(inputs)) {
    const inside = file.split("node_modules/").at(-1);
    if (inside === file) continue;
    const parts = inside.split("/");
    found.add(parts.slice(0, parts[0].startsWith("@") ? 2 : 1).join("/"));
  }
  return [...found].sort().map((name) => {
    const about = JSON.parse(readFileSync(at("node_modules", name, "package.json"), "utf8"));
    const file = readdirSync(at("node_modules", name)).find((one) => /^licen[cs]e/i.test(one));
    const text = file ? readFileSync(at("node_modules", name, file), "utf8").trim() : "";
    return `${name} ${about.version} (${about.license})\n\n${text}\n`;
  });
}

const options = {
  bundle: true, minify: true, format: "esm", target: ["es2022"], legalComments: "none",
  metafile: true, charset: "utf8", logLevel: "warning",
};
const script = await build({ ...options, entryPoints: [at("source", "main.js")], outfile: at("built", "page.js"),
  banner: { js: `/* sources: ${digest()}; licences: LICENCES.txt */` } });
await build({ ...options, entryPoints: [at("source", "style", "page.css")], outfile: at("built", "page.css") });
for (const name of ["index.html", "icon.svg"]) copyFileSync(at("source", name), at("built", name));
writeFileSync(at("built", "LICENCES.txt"), licences(script.metafile.inputs).join(`\n${"-".repeat(72)}\n\n`));
if (existsSync(at("node_modules", "axe-core"))) {
  const tests = at("..", "..", "..", "tests", "server", "page", "axe");
  copyFileSync(at("node_modules", "axe-core", "axe.min.js"), join(tests, "axe.min.js"));
  copyFileSync(at("node_modules", "axe-core", "LICENSE"), join(tests, "LICENSE"));
}
