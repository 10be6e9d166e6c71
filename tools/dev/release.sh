#: build the packages, archives, checksums and the SBOM of a release
#:
#:   ./dev release              of the last commit, into build/fanfare-VERSION
#:   ./dev release --twice      builds it in two folders and compares every byte
#:   ./dev release --try        then installs, upgrades and purges the packages in a fresh Debian 12, also under its own systemd
#:                              (as root; port 4000 must be free)
#:
#: Only committed files take part. The same commit on the same Debian gives the same bytes, in any folder and at any time.
#: docs/release.md says what the files are and how to verify them. A build takes about ten minutes on two cores.
source tools/dev/lib.sh

twice=
try=
for argument in "$@"; do
  case $argument in
    --twice) twice=yes ;;
    --try) try=yes ;;
    *) die "release knows no option '$argument', see ./dev release --help" ;;
  esac
done

if [[ -n $try ]]; then
  ((EUID == 0)) || die "release --try needs root: it makes a system in a folder and mounts file systems"
  need try
fi
need build web release
commit=$(git rev-parse HEAD)
version=$(sed -n 's/^project(fanfare VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
if [[ -n $(git status --porcelain --untracked-files=no) ]]; then say "dev: there are changes that are not committed; the release has none of them"; fi
JOBS=$(jobs_max)
export JOBS

start=$SECONDS
output=build/fanfare-$version
if ! quietly "build $output" release bash tools/release_build.sh "$commit" build/release-work "$output"; then
  show_failure release
  die "the release failed"
fi
if [[ -n $twice ]]; then
  again=$(mktemp -d -t fanfare-second-build.XXXXXX)
  trap 'rm -rf "$again"' EXIT
  if ! quietly "build it again in $again" release-again bash tools/release_build.sh "$commit" "$again/work" "$again/output"; then
    show_failure release-again
    die "the second build failed"
  fi
  if ! diff "$output/SHA256SUMS" "$again/output/SHA256SUMS"; then
    die "the two builds differ in the files above"
  fi
  say "dev: two builds in different folders have the same bytes"
fi
if [[ -n $try ]]; then
  root=$(mktemp -d -t fanfare-debian.XXXXXX)
  trap 'rm -rf "$root" ${again:+"$again"}' EXIT
  if ! quietly "a fresh Debian 12 in $root" debootstrap debootstrap --variant=minbase --include=systemd,systemd-sysv bookworm "$root"; then
    show_failure debootstrap
    die "debootstrap failed"
  fi
  tree=build/release-work/fanfare-$version/build/package
  if ! quietly "install, upgrade and purge" release-try python3 tests/packaging/package_test.py "$tree" --root "$root"; then
    show_failure release-try
    die "the packages failed in a fresh Debian 12"
  fi
  if ! quietly "its units, under systemd" release-systemd python3 tests/packaging/systemd_test.py "$tree" --root "$root"; then
    show_failure release-systemd
    die "the units failed under systemd"
  fi
  say "dev: the packages were installed, upgraded and purged in a fresh Debian 12, where nothing is left, and their units work under its systemd"
fi
cat "$output/SHA256SUMS"
say "dev: $output is ready, after $((SECONDS - start)) s"
