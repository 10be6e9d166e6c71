#!/usr/bin/env bash
# release_pack.sh TREE NAME COMMIT FOLDER OUTPUT: the archive, packages, SBOM and checksums of a build tree that is built, in OUTPUT.
# FOLDER is for what comes between. Run it at the root of the source of TREE, with SOURCE_DATE_EPOCH. tools/release_build.sh calls it.
set -euo pipefail
tree=$1
name=$2
commit=$3
folder=$4
output=$5
tools=$(dirname "$(readlink -f "$0")")
binary=$name-linux-$(uname -m)

cmake --install "$tree" --component program --strip --prefix "$folder/program/$binary"
cp LICENSE "$folder/program/$binary/"
python3 "$tools/release.py" archive "$folder/program" "$output/$binary.tar.gz"
# Not compressed: release.py does that.
cpack --config "$tree/CPackConfig.cmake" -D CPACK_DEBIAN_COMPRESSION_TYPE=none -B "$folder/packages"
python3 "$tools/release.py" packages "$folder/packages" "$output"
python3 "$tools/sbom.py" "$folder/program/$binary" web/package-lock.json "$commit" >"$output/$name.spdx.json"
python3 "$tools/release.py" checksums "$output"
