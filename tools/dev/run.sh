#: build and start the gateway
#:
#:   ./dev run [ARGUMENTS]         arguments go to "fanfare serve"; ./dev run -h shows them
#:
#: Installs what is missing, builds release and the dashboard, starts build/release/apps/fanfare/fanfare serve.
#: Without arguments it serves the built-in development chain on loopback. Ctrl-C stops it.
source tools/dev/lib.sh

need build web
if ! quietly "build release" build-release configure_and_build release fanfare; then
  show_failure build-release
  die "the build failed"
fi
if ! quietly "build the dashboard" build-web build_web release; then
  show_failure build-web
  die "the dashboard's build failed"
fi
exec build/release/apps/fanfare/fanfare serve "$@"
