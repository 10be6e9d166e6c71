#: run the simulations: the gateway's sources against misbehaving nodes, on a simulated clock
#:
#:   ./dev sim                  2,000 seeds
#:   ./dev sim --seeds N        the seeds 1 to N
#:   ./dev sim --seed N         only seed N, with a trace of its events
#needs: tests/sim/sources_sim.cc
source tools/dev/lib.sh

need build
quietly "build release" build-release configure_and_build release sources_sim || die "the build failed, see $LOGS/build-release.log"
if (($# == 0)); then set -- --seeds 2000; fi
exec build/release/tests/sim/sources_sim "$@"
