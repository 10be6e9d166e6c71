#: a broker, three instances and haproxy on loopback, to try what survives
#:
#:   ./dev cluster [SECONDS]      until Ctrl-C, or for so many seconds
#:
#: Installs what is missing, and builds release. The instances share the four streams of the development chain
#: (docs/scaling.md). Prints where to look, and what to kill.
source tools/dev/lib.sh

need build cluster
if ! quietly "build release" build-release configure_and_build release fanfare; then
  show_failure build-release
  die "the build failed"
fi
exec python3 tools/cluster.py "$@"
