#: run a broker, three instances and HAProxy on loopback, to see what they survive
#:
#:   ./dev cluster                 prints where to look and what to kill. Ctrl-C stops all of it
#:   ./dev cluster --interval 1s   polls every stream that often, instead of every 2 to 10 s
#:
#: Installs what is missing and builds release. The instances share the streams of examples/streams/devchain.yaml (docs/relay.md). A
#: program that ends is started again after 3 s, at the same port.
#needs: tools/cluster.py
source tools/dev/lib.sh

need build cluster
if ! quietly "build release" build-release configure_and_build release fanfare; then
  show_failure build-release
  die "the build failed"
fi
exec python3 tools/cluster.py "$@"
