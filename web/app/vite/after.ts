// What follows a build: the compressed twins of the files, which the server sends to clients that accept them, and the licences of
// everything that is part of the page.
import { readFileSync, readdirSync, existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const kCompressible = /\.(html|js|css|svg|txt|json)$/;
const kBytesMin = 1024; // a shorter file gains nothing

export function compressFiles(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!kCompressible.test(name)) continue;
    const file = path.join(folder, name);
    const bytes = readFileSync(file);
    if (bytes.length < kBytesMin) continue;
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

export function licencesOf(packages: string[], modules: string): string {
  return packages
    .map((name) => {
      const folder = path.join(modules, name);
      const { version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
      const file = ["LICENSE", "LICENSE.md", "LICENCE"].map((one) => path.join(folder, one)).find((one) => existsSync(one));
      return `${name} ${version} (${license})\n\n${file ? readFileSync(file, "utf8").trim() : ""}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

export function afterBuild(packages: string[], modules: string): Plugin {
  let folder = "dist";
  return {
    name: "fanfare-after-build",
    apply: "build",
    configResolved: (config) => void (folder = path.resolve(config.root, config.build.outDir)),
    closeBundle: () => {
      writeFileSync(path.join(folder, "licences.txt"), licencesOf(packages, modules));
      compressFiles(folder);
    },
  };
}
