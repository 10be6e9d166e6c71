#: run the simulations, on a simulated clock: the gateway's sources against misbehaving nodes, or a fleet of instances
#:
#:   ./dev sim                       the sources, 2,000 seeds
#:   ./dev sim fleet                 instances, broker, nodes, load balancer and clients, 2,000 seeds
#:   ./dev sim [fleet] --seeds N     the seeds 1 to N
#:   ./dev sim [fleet] --seed N      only seed N, with a trace of its events
#:   ./dev sim [fleet] --fault NAME  with a fault put in on purpose, until it is found
#needs: tests/sim/sources_sim.cc
source tools/dev/lib.sh

program=sources_sim
if [[ ${1-} == fleet ]]; then
  program=fleet_sim
  shift
fi
need build
quietly "build release" build-release configure_and_build release "$program" || die "the build failed, see $LOGS/build-release.log"
if (($# == 0)); then set -- --seeds 2000; fi
exec "build/release/tests/sim/$program" "$@"
