#: build the dashboard
#:
#:   ./dev ui
#:
#: Builds web/app into build/release/share/fanfare/web, as ./dev run and ./dev build do. A server that runs shows it at the next reload.
#needs: web/app/package.json
source tools/dev/lib.sh

need build web
if ! quietly "build the dashboard" build-web build_web release; then
  show_failure build-web
  die "the dashboard's build failed"
fi
say "dev: built build/release/share/fanfare/web"
