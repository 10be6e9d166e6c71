#: run the static checks: floors, style, format, clang-tidy
#:
#:   ./dev lint [PART...]          PART: run clang-tidy only on files whose path contains it, such as src/ws
source tools/dev/lib.sh

need build test
status=0
python3 tools/floor_check.py || status=1
python3 tools/style_check.py || status=1
bash tools/dev/fmt.sh --check || status=1
if [[ ! -f build/asan/compile_commands.json ]]; then
  quietly "configure asan" configure-asan cmake --preset asan || { show_failure configure-asan && exit 1; }
fi
python3 tools/tidy.py build/asan "$@" || status=1
if ((status)); then die "lint found something"; fi
say "dev: lint found nothing"
