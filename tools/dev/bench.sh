#: build the contestants and measure them against each other
#:
#:   ./dev bench                   every row, five rounds of 3 s, about 40 minutes
#:   ./dev bench --quick           three rounds of 0.7 s (large messages: 2 s), about 8 minutes once it is built
#:   ./dev bench ROW...            only the rows whose name contains ROW
#:   ./dev bench --only NAME       only the contestants whose name contains NAME (repeatable), and raw epoll
#:   ./dev bench --before DIR      raw servers and Fanfare only, compared with the bench build of an earlier tree in DIR
#:   ./dev bench --crowd           50,000 idle connections, alone and with a broadcast to all of them
#:   ./dev bench --fanout          one head to 10,000 subscribers of a chain in the same process, half a minute
#:   ./dev bench --attacks [--quick] [--before DIR] [ATTACK...]
#:                                 how attacks affect the gateway's memory and its honest clients. Three rounds; with --before (an
#:                                 earlier tree with a release build) 15 minutes. --quick: one round, 4 minutes. ATTACK: part of
#:                                 a row's name
#:   ./dev bench --streams [--quick] up to 5,000 subscribers of a stream, and the bytes of patches and compression. 8 minutes; --quick: 2
#:   ./dev bench --access [--quick] [--crowd [--tsan]] [--abuser]
#:                                 access control: its cost, 1,000 authenticated clients for 5 minutes, an abuser. 8 minutes. --crowd and
#:                                 --abuser: only these; --tsan: the clients for 1 minute under ThreadSanitizer
#:   ./dev bench --overload [--quick] [--before] twice and three times the load that the gateway sustains, a minute each. 4 to 8 minutes; --quick: 1
#:   ./dev bench --forward [--quick] [--before PROGRAM] [ROW...] calls through the gateway to anvil and to a raw node, relative to calling
#:                                 the node directly. PROGRAM: `fanfare` of an earlier build. 12 minutes; --quick: 2
#:   ./dev bench --heads [--quick] [CHAIN...] how soon a subscriber hears of a block, over HTTP and WebSocket, next to anvil's own
#:                                 subscription, and the calls it costs. 5 minutes; --quick: 1
#:   ./dev bench --canvas [--quick] [ROW...] 10,000 viewers of a canvas, 8,000 pixels a second, 1,000 cursors; every viewer's hashes are
#:                                 checked. 8 minutes; --quick: 2
#:   ./dev bench --relay [--quick]  hub topics over NATS JetStream next to topics of one process: throughput and latency. 3 minutes; --quick: 1
#:   ./dev bench --fleet [--clients N] [--faults N] [--seed N] [--broker-restart | --brokers 3 | --rolling]
#:                                 three instances behind HAProxy are killed, stopped and restarted; every client counts what it misses.
#:                                 --rolling: a rolling deploy; its handshakes, the times of other clients and the calls of nodes
#:   ./dev bench --relay-peers [--quick] [--only NAME] [ROW...]  relayed topics next to socket.io and nchan over Redis: throughput, CPU, and what a
#:                                 reconnect loses. 16 minutes; --quick: 7. ROW, NAME: part of a name
#:   ./dev bench --costs [--quick] [PART...] what a connection, a subscription, an event, a chain and an instance cost, for `fanfare size`.
#:                                 25 minutes, as root (kernel memory), with nats-server; --quick: a trial. PART: connections,
#:                                 subscriptions, deliveries, chains, broker
#:   ./dev bench --instructions    instructions per message that our server executes outside the kernel (callgrind)
#:   ./dev bench --micro [ARG...]  the microbenchmarks of bench/*_bench.cc; ARG is passed to Google Benchmark
#:
#: The server runs on core 0 and the load on core 1. Use an idle machine. Prints the table and writes it
#: to bench/results/DATE-COMMIT.md. docs/bench.md explains the method.
#needs: tools/bench.py
source tools/dev/lib.sh

build_bench() {
  quietly "build bench" build-bench configure_and_build bench "$@" ||
    { show_failure build-bench && die "the bench build failed"; }
}

for kind in attacks streams access overload costs; do
  if [[ " $* " == *" --$kind "* ]]; then
    need build
    preset=release targets=(fanfare programs_rpc_server)
    if [[ " $* " == *" --tsan "* ]]; then preset=tsan targets=(fanfare); fi
    quietly "build $preset" "build-$preset" configure_and_build "$preset" "${targets[@]}" ||
      { show_failure "build-$preset" && die "the $preset build failed"; }
    if [[ $kind == costs ]]; then need cluster; fi
    if [[ $kind == overload && " $* " != *" --help "* ]]; then
      need bench
      build_bench overload_load
    fi
    exec python3 "tools/bench_$kind.py" "$@"
  fi
done
if [[ " $* " == *" --canvas "* ]]; then
  if [[ " $* " == *" --help "* ]]; then exec python3 tools/bench_canvas.py "$@"; fi
  need build bench
  quietly "build release" build-release configure_and_build release fanfare || { show_failure build-release && die "the release build failed"; }
  build_bench canvas_load
  exec python3 tools/bench_canvas.py "$@"
fi
if [[ " $* " == *" --forward "* || " $* " == *" --heads "* ]]; then
  kind=forward
  if [[ " $* " == *" --heads "* ]]; then kind=heads; fi
  if [[ " $* " == *" --help "* ]]; then exec python3 "tools/bench_$kind.py" "$@"; fi
  need build bench
  quietly "build release" build-release configure_and_build release fanfare || { show_failure build-release && die "the release build failed"; }
  if [[ $kind == forward ]]; then build_bench forward_load forward_node raw_forward; fi
  if [[ ! -d tests/e2e/node_modules/@foundry-rs ]]; then
    quietly "npm ci" npm-e2e npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund || die "anvil is not there: npm ci failed"
  fi
  exec python3 "tools/bench_$kind.py" "$@"
fi
if [[ " $* " == *" --fleet "* ]]; then
  if [[ " $* " == *" --help "* ]]; then exec python3 tools/bench_fleet.py "$@"; fi
  need build cluster
  quietly "build release" build-release configure_and_build release fanfare || { show_failure build-release && die "the release build failed"; }
  if [[ ! -d tests/e2e/node_modules/ws ]]; then
    quietly "npm ci" npm-e2e npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund || die "npm's ws is not there: npm ci failed"
  fi
  exec python3 tools/bench_fleet.py "$@"
fi
need build bench
if [[ " $* " == *" --relay "* ]]; then
  need cluster
  build_bench relayed_topics
  exec python3 tools/bench_relay.py "$@"
fi
if [[ " $* " == *" --relay-peers "* ]]; then
  if [[ " $* " == *" --help "* ]]; then exec python3 tools/bench_relay_peers.py "$@"; fi
  need peers
  build_bench peers_server peers_load
  quietly "npm ci" npm-peers bash tools/npm_ci.sh bench/peers || die "socket.io is not there: npm ci failed"
  exec python3 tools/bench_relay_peers.py "$@"
fi
if [[ ${1:-} == --micro ]]; then
  shift
  build_bench microbenchmarks
  for source in bench/*_bench.cc; do
    name=$(basename "$source" .cc)
    say "== $name"
    taskset -c 0 "build/bench/bench/$name" "$@"
  done
  exit
fi
if [[ ${1:-} == --fanout ]]; then
  build_bench heads_fanout
  exec python3 tools/bench_fanout.py
fi
build_bench fanfare contestants
if [[ ${1:-} == --instructions ]]; then exec python3 tools/bench_instructions.py; fi
if [[ ! -d tests/e2e/node_modules/ws ]]; then
  quietly "npm ci" npm-e2e npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund || say "bench: without npm's ws"
fi
quietly "npm ci" npm-uws bash tools/npm_ci.sh bench/uws || say "bench: without uWebSockets in Node"
exec python3 tools/bench.py "$@"
