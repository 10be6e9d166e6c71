// Files that another program reads meanwhile.

import { renameSync, writeFileSync } from "node:fs";

// As an editor does: a reader sees the old or the new text.
export function replaceFile(file, text) {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
