#: run nginx, HAProxy and Caddy in front of the gateway, with the configurations of examples/proxies
#:
#:   ./dev proxies [WORD]          every client through each proxy, and the failure one step below each documented time and size;
#:                                 WORD: only the tests whose name contains it
#:
#: `./dev test` runs the first part. Half a minute for each proxy. Needs the packages of ./dev deps (test).
#needs: tests/e2e/proxies.test.js
source tools/dev/lib.sh
need build test
quietly "build release" build-release configure_and_build release fanfare || { show_failure build-release && die "the release build failed"; }
if [[ ! -d tests/e2e/node_modules/ws ]]; then
  quietly "npm ci" npm-e2e npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund || die "npm ci failed"
fi
cd tests/e2e
FANFARE_PROXIES=all exec node --test ${1:+--test-name-pattern="$1"} --test-reporter=spec proxies.test.js
