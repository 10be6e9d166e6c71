#: open, use and close 10,000 connections 100 times over, under AddressSanitizer
#:
#:   ./dev soak                    the full run, about half an hour
#:   ./dev soak CONNECTIONS ROUNDS
#:   ./dev soak --reload [SUBSCRIBERS RELOADS SECONDS]    reloads, a third of them of broken files, under subscribers of newHeads
#:                                 (2000 100 60), with the release build; nobody may be dropped, and no head lost
#:
#: Passes if no byte was lost, no descriptor leaked, and memory does not grow. Needs one descriptor per connection (ulimit -n).
#needs: tests/soak/run.py
source tools/dev/lib.sh

if [[ ${1:-} == --reload ]]; then
  shift
  need build e2e
  quietly "build release" build-soak configure_and_build release fanfare ||
    { show_failure build-soak && die "the release build failed"; }
  exec env FANFARE_BIN="$PWD/build/release/apps/fanfare/fanfare" node tests/soak/reload.mjs "$@"
fi
need build test
quietly "build asan" build-soak configure_and_build asan programs_echo_server programs_soak_client ||
  { show_failure build-soak && die "the asan build failed"; }
exec python3 tests/soak/run.py --server build/asan/tests/programs/echo_server --client build/asan/tests/programs/soak_client \
  ${1:+--connections "$1"} ${2:+--rounds "$2"}
