#: print clause -> code -> test, and fail on a clause without a test
#:
#:   ./dev rfc
#needs: tools/rfc.py
source tools/dev/lib.sh

if ! command -v python3 >/dev/null; then need test; fi
exec python3 tools/rfc.py "$@"
