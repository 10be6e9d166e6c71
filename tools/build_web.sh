#!/usr/bin/env bash
# build_web.sh BUILD_TREE: builds the dashboard (web/app) and puts its files into BUILD_TREE/share/fanfare/web, where the program
# of that tree finds them and `cmake --install` takes them. Needs Node 20 and npm. The built files are kept in build/web/HASH,
# named by the content of web/, so that nothing is built twice.
set -euo pipefail
tree=$(realpath "$1")
cd "$(dirname "$(readlink -f "$0")")/.."

hash=$(find web \( -name node_modules -o -name dist -o -name test \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum |
  sha256sum | cut -c 1-16)
built=$PWD/build/web/$hash
if [[ ! -f $built/index.html ]]; then
  bash tools/npm_ci.sh web
  rm -rf build/web
  mkdir -p build/web
  FANFARE_WEB_OUT=$built.new npm run --prefix web --workspace app build
  mv "$built.new" "$built"
fi

target=$tree/share/fanfare/web
if [[ $(readlink -f "$target/.built-from" 2>/dev/null) != "$built" ]]; then
  # A server that runs holds the folder open, so the folder stays. The page comes after the files that it names.
  mkdir -p "$target/assets"
  cp -a "$built/assets/." "$target/assets/"
  cp -a "$built/." "$target/"
  (cd "$target" && find . -type f -print0) | while IFS= read -r -d '' file; do
    if [[ ! -e $built/$file ]]; then rm "$target/$file"; fi
  done
  ln -sfn "$built" "$target/.built-from"
fi
