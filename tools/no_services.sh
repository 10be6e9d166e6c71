#!/usr/bin/env bash
# no_services.sh COMMAND...: runs a command of the package system as root, without starting services that it installs, now or at the next
# boot. Returns the command's status. ./dev deps calls it: its tests need programs such as nginx and prometheus, not their services.
#
# Debian's maintainer scripts ask /usr/sbin/policy-rc.d whether they may start a service. It exists only while the command runs; one that is
# there already is put aside and comes back. If this script is killed, its next run repairs that.
set -euo pipefail
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
aside=$policy.before-fanfare
mark="# Written by no_services.sh of Fanfare; it is there only while packages are installed."

is_ours() { [[ -f $policy ]] && grep -qxF "$mark" "$policy"; }

restore() {
  if is_ours; then rm -f "$policy"; fi
  if [[ -e $aside || -L $aside ]]; then mv -f "$aside" "$policy"; fi
}

enabled_services() {
  if [[ -d ${SYSTEMD_RUNS:-/run/systemd/system} ]]; then
    systemctl list-unit-files --type=service,socket,timer --state=enabled --no-legend | awk '{ print $1 }' | sort
  fi
}

restore
before=$(enabled_services)
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [[ -e $policy || -L $policy ]]; then mv "$policy" "$aside"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"

status=0
"$@" || status=$?

# The package system also enables them, for the next boot.
mapfile -t new < <(comm -13 <(printf '%s\n' "$before") <(enabled_services))
if ((${#new[@]})); then systemctl disable --quiet "${new[@]}"; fi
exit "$status"
