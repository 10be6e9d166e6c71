#: open, use and close 10,000 connections 100 times over, under AddressSanitizer
#:
#:   ./dev soak                    the full run, about half an hour
#:   ./dev soak CONNECTIONS ROUNDS
#:
#: Passes if no byte was lost, no descriptor leaked, and memory does not grow. Needs one descriptor per connection (ulimit -n).
#needs: tests/soak/run.py
source tools/dev/lib.sh

need build test
quietly "build asan" build-soak configure_and_build asan programs_echo_server programs_soak_client ||
  { show_failure build-soak && die "the asan build failed"; }
exec python3 tests/soak/run.py --server build/asan/tests/programs/echo_server --client build/asan/tests/programs/soak_client \
  ${1:+--connections "$1"} ${2:+--rounds "$2"}
