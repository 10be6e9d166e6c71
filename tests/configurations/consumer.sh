#!/usr/bin/env bash
# Installs the built library somewhere new and uses it from there, as a stranger would: with CMake, with
# pkg-config, moved to another folder, and out of the .deb. Usage: consumer.sh BUILD_FOLDER CXX
set -euo pipefail
source=$(cd "$(dirname "$0")/consumer" && pwd)
build=$(cd "$1" && pwd)
cxx=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step() { echo "-- $*"; }

step "cmake --install"
cmake --install "$build" --prefix "$work/first" --component library >"$work/log"
# A package must not know where it was built or first installed.
mv "$work/first" "$work/prefix"
if grep -rl "$build" "$work/prefix" --include='*.cmake' --include='*.pc' --include='*.h'; then
  echo "these files name the build folder" >&2
  exit 1
fi

step "find_package(fanfare)"
cmake -S "$source" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$cxx" >>"$work/log"
cmake --build "$work/consumer" >>"$work/log" || { cat "$work/log"; exit 1; }
"$work/consumer/consumer"
"$work/consumer/node_consumer" 2>"$work/node.log"

step "pkg-config"
pc=$(dirname "$(find "$work/prefix" -name fanfare.pc)")
# shellcheck disable=SC2046,SC2086
"$cxx" -std=c++23 "$source/main.cc" -o "$work/with-pkg-config" \
  $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs fanfare)
"$work/with-pkg-config"
# shellcheck disable=SC2046,SC2086
"$cxx" -std=c++23 "$source/node.cc" -o "$work/node-with-pkg-config" \
  $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs fanfare-chain)
"$work/node-with-pkg-config" 2>>"$work/node.log"

# Each header alone, with every compiler and library, is tested in tests/configurations.
step "no header needs anything that is not installed"
for header in "$work"/prefix/include/fanfare/*.h; do echo "#include <fanfare/$(basename "$header")>"; done |
  "$cxx" -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$work/prefix/include" -x c++ -

# That of the program is tested in tests/packaging.
step "the .deb of the library"
(cd "$work" && cpack --config "$build/CPackConfig.cmake" -B "$work/deb" -D CPACK_COMPONENTS_ALL=library \
  -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip >>"$work/log" 2>&1) || { cat "$work/log"; exit 1; }
content=$(dpkg-deb --contents "$work"/deb/fanfare-dev_*.deb)
for file in /usr/share/doc/fanfare-dev/copyright /usr/lib/libfanfare.a /usr/include/fanfare/server.h \
  /usr/lib/cmake/fanfare/fanfare-config.cmake /usr/lib/pkgconfig/fanfare.pc; do
  grep -q " \.$file\$" <<<"$content" || { echo "the .deb has no $file" >&2; exit 1; }
done
dpkg-deb --field "$work"/deb/fanfare-dev_*.deb Depends | grep -q libssl
echo "ok"
