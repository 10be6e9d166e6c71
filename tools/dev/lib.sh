# Functions shared by the verbs. Sourced, never run. The working directory is the repository's root.
# shellcheck shell=bash
set -euo pipefail

LOGS=build/logs
mkdir -p "$LOGS"

# All downloads stay inside the repository.
export npm_config_cache=$PWD/build/tools/npm-cache
NODE_MAJOR_MIN=20
NODE_HOME=$PWD/build/tools/node
if [[ -x $NODE_HOME/bin/node ]]; then export PATH=$NODE_HOME/bin:$PATH; fi

# The sanitizers need a symbolizer to report line numbers. clang looks for its own; binutils' addr2line works as well.
if [[ -z ${ASAN_SYMBOLIZER_PATH:-} ]] && command -v addr2line >/dev/null; then
  ASAN_SYMBOLIZER_PATH=$(command -v addr2line)
  export ASAN_SYMBOLIZER_PATH TSAN_OPTIONS="external_symbolizer_path=$ASAN_SYMBOLIZER_PATH"
fi

say() { printf '%s\n' "$*"; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# A compiler process takes up to 2 GB (one of them a little more), so memory limits how many run at once.
jobs_max() {
  local cores memory_kb by_memory
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  by_memory=$((memory_kb / 2000000))
  if ((by_memory < 1)); then by_memory=1; fi
  echo $((cores < by_memory ? cores : by_memory))
}

# Every 30 s, prints the running step, its duration, and the last line of its log. It waits in read rather than in
# a child process, so that nothing outlives it, and it does not outlive the script ($$) either.
heartbeat() {
  local label=$1 log=$2 pipe start=$SECONDS last
  exec {pipe}<> <(:)
  while kill -0 "$$" 2>/dev/null; do
    read -r -t 30 -u "$pipe" _ || true
    last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c 1-80) || true
    say "   ... $label, $((SECONDS - start)) s: $last"
  done
}

# quietly LABEL LOG COMMAND...: writes the command's whole output to build/logs/LOG.log and prints progress for
# long commands. Returns the command's status.
quietly() {
  local label=$1 log=$LOGS/$2.log status=0 beat
  shift 2
  : >"$log"
  heartbeat "$label" "$log" &
  beat=$!
  "$@" >>"$log" 2>&1 </dev/null || status=$?
  kill "$beat" 2>/dev/null || true
  wait "$beat" 2>/dev/null || true
  return "$status"
}

# Installs the missing packages of the given sets (build, test, bench) of tools/packages.
need() { bash tools/dev/deps.sh "$@"; }

# configure_and_build PRESET [TARGET...]: configures only once, with the options in `configure_options`; ninja itself reconfigures when needed.
configure_options=()
configure_and_build() {
  local preset=$1 targets=()
  shift
  if (($#)); then targets=(--target "$@"); fi
  if [[ ! -f build/$preset/build.ninja ]]; then cmake --preset "$preset" "${configure_options[@]}" || return 1; fi
  cmake --build "build/$preset" --parallel "$(jobs_max)" "${targets[@]}"
}

# build_web PRESET: the dashboard, for the program of that preset.
build_web() {
  mkdir -p "build/$1"
  bash tools/build_web.sh "build/$1"
}

# Builds only the fuzzers and the rooms they link, not the program.
build_fuzzers() {
  local sources=(fuzz/*_fuzz.cc)
  sources=("${sources[@]#fuzz/}")
  configure_and_build asan "${sources[@]%.cc}"
}

# Prints the most useful part of a failed step's log: the names of failed tests, then their output, or else lines that look like errors.
show_failure() {
  local log=$LOGS/$1.log marks
  # ctest puts its number before each line. " FAIL" is vitest's.
  local tests=': Failure$|^not ok|^ FAIL |^([0-9]+: )?((FAIL|ERROR): test_|Traceback \(most recent)|WARNING: ThreadSanitizer|ERROR: [A-Z][a-z]*Sanitizer|runtime error:'
  tests+='|\*\*\*(Exception|Timeout|Not Run)|\[  SKIPPED \]'
  local errors='error:|Error |FAILED|Failure|\*\*\*Failed|ERROR: '
  {
    sed -n '/^The following tests FAILED:/,$p' "$log" | sed -n 1,20p
    for marks in "$tests" "$errors"; do
      if grep -qE "$marks" "$log"; then break; fi
    done
    if grep -qE "$marks" "$log"; then
      grep -nE -A 20 "$marks" "$log" | sed -n 1,80p
    else
      tail -n 40 "$log"
    fi
    say "   whole log: $log"
  } | sed 's/^/   | /'
}
