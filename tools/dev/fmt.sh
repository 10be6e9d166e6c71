#: format the C++ sources
#:
#:   ./dev fmt [--check]
#:
#: With --check nothing is written. Every difference is printed, and then the exit status is 1.
source tools/dev/lib.sh

if ! command -v clang-format-19 >/dev/null; then need test; fi
arguments=(-i)
if [[ ${1:-} == --check ]]; then arguments=(--dry-run -Werror); fi
folders=()
for folder in include src apps fuzz bench examples tests; do
  if [[ -d $folder ]]; then folders+=("$folder"); fi
done
find "${folders[@]}" -name node_modules -prune -o -type f \( -name '*.h' -o -name '*.cc' \) -print0 |
  xargs -0 -r -n 16 -P "$(nproc)" clang-format-19 "${arguments[@]}"
