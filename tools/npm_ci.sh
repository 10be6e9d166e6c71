#!/usr/bin/env bash
# npm_ci.sh FOLDER: `npm ci` there, unless node_modules was installed from the same lock file.
set -euo pipefail
cd "$1"
stamp=node_modules/.installed-from
if cmp -s package-lock.json "$stamp"; then exit 0; fi
npm ci --ignore-scripts --no-audit --no-fund
cp package-lock.json "$stamp"
