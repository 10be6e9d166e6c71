#: build (the release preset, or another one)
#:
#:   ./dev build [PRESET] [TARGET...]
#:
#: PRESET is one of CMakePresets.json: release (default), asan, tsan, bench.
#: The result is in build/PRESET; the program is build/release/apps/fanfare/fanfare.
source tools/dev/lib.sh

preset=${1:-release}
if (($#)); then shift; fi
case $preset in
  release) need build web ;;
  bench) need build bench ;;
  *) need build test ;;
esac
start=$SECONDS
if ! quietly "build $preset" "build-$preset" configure_and_build "$preset" "$@"; then
  show_failure "build-$preset"
  die "the $preset build failed"
fi
if [[ $preset == release ]] && (($# == 0)); then
  if ! quietly "build the dashboard" build-web build_web release; then
    show_failure build-web
    die "the dashboard's build failed"
  fi
fi
say "dev: built build/$preset in $((SECONDS - start)) s"
