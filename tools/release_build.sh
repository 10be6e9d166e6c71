#!/usr/bin/env bash
# release_build.sh COMMIT FOLDER OUTPUT: builds the release of a commit in FOLDER, from an archive of the commit, so that no file of the
# working copy takes part. Its files come into OUTPUT. ./dev release calls it. Run it at the root of the repository.
set -euo pipefail
commit=$1
mkdir -p "$2" "$3"
folder=$(realpath "$2")
output=$(realpath "$3")
tools=$PWD/tools

# The time of everything that has one: cmake, vite, dpkg-deb and CPack read it.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
version=$(git show "$commit:CMakeLists.txt" | sed -n 's/^project(fanfare VERSION \([0-9.]*\).*/\1/p')
name=fanfare-$version

rm -rf "${folder:?}"/* "${output:?}"/*
git archive --format=tar --prefix="$name/" "$commit" >"$folder/source.tar"
gzip -9 -n <"$folder/source.tar" >"$output/$name.tar.gz"
tar -xf "$folder/source.tar" -C "$folder"

cd "$folder/$name"
cmake --preset package
cmake --build build/package --parallel "${JOBS:-$(nproc)}"
bash tools/build_web.sh build/package

bash "$tools/release_pack.sh" build/package "$name" "$commit" "$folder" "$output"
