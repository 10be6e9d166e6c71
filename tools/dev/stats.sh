#: print the sizes of functions, files and classes
#:
#:   ./dev stats [ROOT]     of another working copy; the default is this one
source tools/dev/lib.sh

exec python3 tools/stats.py "$@"
