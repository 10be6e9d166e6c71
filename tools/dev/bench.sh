#: build the contestants and measure them against each other
#:
#:   ./dev bench                   every row, five rounds of 3 s
#:   ./dev bench --quick           three rounds of 1 s, less than 5 minutes once it is built
#:   ./dev bench ROW...            only the rows whose name contains ROW
#:
#: The server runs on core 0, the load on core 1; an idle machine is up to you. Prints the table and writes it
#: to bench/results/DATE-COMMIT.md. docs/bench.md says how it is measured.
#needs: tools/bench.py
source tools/dev/lib.sh

need build test
contestants=(bench/*_echo.cc)
contestants=("${contestants[@]#bench/}")
quietly "build bench" build-bench configure_and_build bench fanfare "${contestants[@]%.cc}" ||
  { show_failure build-bench && die "the bench build failed"; }
if [[ ! -d tests/e2e/node_modules/ws ]]; then
  quietly "npm ci" npm-e2e npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund || say "bench: without npm's ws"
fi
exec python3 tools/bench.py "$@"
