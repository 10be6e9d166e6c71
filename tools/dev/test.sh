#: set up, then run every check and every test
#:
#:   ./dev test                    everything
#:   ./dev test --quick            the checks without clang-tidy, and the unit tests under AddressSanitizer
#:   ./dev test [--quick] FILTER   only the unit tests of room FILTER, or those whose name contains FILTER
#:
#: Each step prints one line; full logs are in build/logs. The last line is "N passed, N failed", and
#: the exit status is 1 if anything failed.
source tools/dev/lib.sh

quick=
filter=
for argument in "$@"; do
  case $argument in
    --quick) quick=yes ;;
    -*) die "test knows no option '$argument', see ./dev test --help" ;;
    *) filter=$argument ;;
  esac
done

passed=0
failed=0
failures=()
began=$SECONDS

# result LABEL SECONDS PASSED FAILED LOG
result() {
  local label=$1 seconds=$2 good=$3 bad=$4 log=$5
  passed=$((passed + good))
  failed=$((failed + bad))
  if ((bad == 0)); then
    printf 'ok    %-34s %5d s   %d passed\n' "$label" "$seconds" "$good"
  else
    printf 'FAIL  %-34s %5d s   %d passed, %d failed\n' "$label" "$seconds" "$good" "$bad"
    show_failure "$log"
    failures+=("$label: $(names_of_failed "$LOGS/$log.log" | paste -sd , | sed 's/,/, /g')")
  fi
}

# The names of the failed tests in a log of ctest (with GoogleTest or Python), node or vitest; what the sanitizers found.
names_of_failed() {
  {
    sed -nE -e 's/^[0-9]+: \[  FAILED  \] ([^ ,]+[.][^ ,]+).*/\1/p' -e 's/^ *not ok [0-9]+ - (.*)/\1/p' -e 's/^ FAIL  +(.*)/\1/p' \
      -e 's/^([0-9]+: )?(FAIL|ERROR): (test_[^ ]+).*/\3/p' -e 's/.*(WARNING: ThreadSanitizer: [^(]+|ERROR: [A-Z][a-z]*Sanitizer: [a-z-]+).*/\1/p' "$1"
    sed -nE '/^The following tests FAILED:/,$s/^\t *[0-9]+ - ([^ ]+).*/\1/p' "$1"
  } | sort -u | sed -n 1,20p
}

# check LABEL LOG COMMAND...: a step that counts as one test.
check() {
  local label=$1 log=$2 start=$SECONDS status=0
  shift
  quietly "$label" "$@" || status=1
  result "$label" $((SECONDS - start)) $((1 - status)) "$status" "$log"
  return "$status"
}

# suite LABEL LOG COUNTER COMMAND...: a step whose log contains the numbers of passed and failed tests. COUNTER
# prints them. A suite that fails without reporting a failure, or that ran nothing, counts as one failure.
suite() {
  local label=$1 log=$2 counter=$3 start=$SECONDS status=0 good bad
  shift 3
  quietly "$label" "$log" "$@" || status=1
  read -r good bad < <("$counter" "$LOGS/$log.log")
  if ((bad == 0 && (status != 0 || good == 0))); then bad=1; fi
  result "$label" $((SECONDS - start)) "$good" "$bad" "$log"
}

# Counts the tests inside each test program. A crashed program or a script counts as one test. A test that was skipped has failed: what it
# says would be shown nowhere.
count_ctest() {
  awk '/^[0-9]+: \[==========\] [0-9]+ tests? .* ran\./ { ran = $3; number = $1; sub(/:/, "", number) }
       /^[0-9]+: \[  PASSED  \] [0-9]+ tests?\./ {
         good += $5
         bad += ran - $5
         counted[number] = ran - $5
       }
       / Test +#[0-9]+: / {
         number = $0; sub(/.* Test +#/, "", number); sub(/: .*/, "", number)
         if (/ Passed /) good += !(number in counted)
         else if (counted[number] + 0 == 0) bad++
       }
       END { print good + 0, bad + 0 }' "$1"
}
count_unittest() {
  awk '/^Ran [0-9]+ test/ { all = $2 }
       /^FAILED/ { text = $0; while (match(text, /[0-9]+/)) { bad += substr(text, RSTART, RLENGTH); text = substr(text, RSTART + RLENGTH) } }
       END { print all - bad, bad + 0 }' "$1"
}
count_node() {
  awk '/^# pass / { good += $3 } /^# fail / { bad += $3 } /^# cancelled / { bad += $3 } END { print good + 0, bad + 0 }' "$1"
}
count_fuzz() {
  awk '/^fuzz: .* ok/ { good++ } /^fuzz: .* FAILED/ { bad++ } END { print good + 0, bad + 0 }' "$1"
}

count_conformance() { awk '/^[0-9]+ passed, [0-9]+ failed$/ { good = $1; bad = $3 } END { print good + 0, bad + 0 }' "$1"; }

count_vitest() {
  awk '/^ +Tests  / { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) good = $(i - 1); if ($i ~ /^failed/) bad = $(i - 1) } }
       END { print good + 0, bad + 0 }' "$1"
}

# Prints those of the given rooms that have tests.
rooms_with_tests() {
  local room
  for room in "$@"; do
    if compgen -G "src/$room/*_test.cc" >/dev/null; then echo "$room"; fi
  done
}

# Two for each core, since most of them wait more than they compute.
run_ctest() {
  local preset=$1
  shift
  python3 tools/hold_ports.py ctest --test-dir "build/$preset" --parallel "$(($(nproc) * 2))" --verbose --no-tests=error "$@"
}

# g++ 12's ThreadSanitizer cannot map its shadow memory with the address randomisation of recent kernels.
run_ctest_without_aslr() {
  if setarch "$(uname -m)" -R true 2>/dev/null; then
    setarch "$(uname -m)" -R bash -c "$(declare -f run_ctest); run_ctest \"\$@\"" run_ctest "$@"
  else
    run_ctest "$@"
  fi
}

fast_checks() {
  begin_beside tools-test python3 -m unittest discover -s tools -p '*_test.py'
  check "floors" floors python3 tools/floor_check.py || true
  check "style" style python3 tools/style_check.py || true
  check "format" format bash tools/dev/fmt.sh --check || true
  if [[ -f tools/rfc.py ]]; then check "rfc: every clause has a test" rfc python3 tools/rfc.py || true; fi
}
# They use one core for a while, beside the first build.
end_fast_checks() {
  if [[ -n ${beside[tools-test]:-} ]]; then suite "checks of the checks" tools-test count_unittest end_beside tools-test; fi
}

unit_tests_asan() {
  local selection=() targets=(all)
  if [[ -n $filter && -d src/$filter ]]; then
    selection=(-L "^$filter\$")
    targets=("${filter}_test")
  elif [[ -n $filter ]]; then
    export GTEST_FILTER="*$filter*"
  fi
  local built=
  if check "build asan" build-asan configure_and_build asan "${targets[@]}"; then built=yes; fi
  end_fast_checks
  if [[ -z $built ]]; then return 0; fi
  if [[ -z $quick && -z $filter ]]; then
    begin_tidy
    begin_tsan_build
  fi
  suite "unit tests, asan and ubsan" test-asan count_ctest run_ctest asan "${selection[@]}"
}

# Where io_uring is not permitted, as in most containers, everything runs on epoll. Tests with io_uring in their
# name are excluded.
unit_tests_without_uring() {
  suite "unit tests, io_uring refused" test-without-uring count_ctest without_uring_asan
}
without_uring_asan() {
  GTEST_FILTER='-*/uring:*/uring_*:Uring*:ReceiveBuffers*' build/asan/tests/programs/without_uring \
    ctest --test-dir build/asan --parallel "$(($(nproc) * 2))" --verbose --no-tests=error -L '^(net|session|api)$'
}

tsan_rooms() { rooms_with_tests base net session pubsub upstream relay api admin canvasserver gateway; }
begin_tsan_build() {
  local rooms
  mapfile -t rooms < <(tsan_rooms)
  begin_build tsan "${rooms[@]/%/_test}"
}
unit_tests_tsan() {
  local rooms labels
  mapfile -t rooms < <(tsan_rooms)
  labels=$(IFS='|' && echo "^(${rooms[*]})\$")
  if [[ -z ${beside[build-tsan]:-} ]]; then begin_tsan_build; fi
  check "build tsan, the rest" build-tsan end_beside build-tsan || return 0
  begin_release_build
  suite "unit tests, tsan" test-tsan count_ctest run_ctest_without_aslr tsan -L "$labels"
}

# The short form of ./dev soak.
soak_short() {
  local programs=build/asan/tests/programs
  suite "soak, 1,000 connections x 3, asan" soak count_conformance python3 tests/soak/run.py --connections 1000 --rounds 3 \
    --server $programs/echo_server --client $programs/soak_client
  suite "the same, io_uring refused" soak-without-uring count_conformance $programs/without_uring \
    python3 tests/soak/run.py --connections 1000 --rounds 3 \
    --server $programs/echo_server --client $programs/soak_client
}

# begin_beside NAME COMMAND...: starts a step beside others. end_beside waits for it. Each is a process group, so that
# nothing of it outlives this script. Steps that compute take `nice`; those that have deadlines, as tests, must not: at
# the lowest priority they would get almost nothing beside a build. A fuzzer has a deadline for each input: a little of it.
declare -A beside
begin_beside() {
  local name=$1
  shift
  set -m
  "$@" >"$LOGS/$name-run.log" 2>&1 </dev/null &
  set +m
  beside[$name]=$!
}
stop_beside() {
  local pid
  for pid in "${beside[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
}
trap stop_beside EXIT

# end_beside NAME: prints the whole output of the step, and returns its status.
end_beside() {
  local pid=${beside[$1]} status=0
  tail --pid="$pid" -n +1 -f "$LOGS/$1-run.log"
  wait "$pid" || status=$?
  unset "beside[$1]"
  return "$status"
}

# begin_build PRESET [TARGET...]: a build beside tests, which wait more than they compute, and come first.
begin_build() { begin_beside "build-$1" at_low_priority configure_and_build "$@"; }
at_low_priority() {
  renice -n 10 -p "$BASHPID" >/dev/null
  "$@"
}
# The folder that people use too: compiled file by file.
begin_release_build() {
  configure_options=()
  begin_build release
}

# They mostly wait for the network.
begin_packages_of_node() {
  begin_beside npm-ci npm ci --prefix tests/e2e --ignore-scripts --no-audit --no-fund
  begin_beside npm-ci-web bash tools/npm_ci.sh web
}

# Test files and one slow check are left to ./dev lint: they take most of the time.
begin_tidy() { begin_beside tidy nice -n 19 python3 tools/tidy.py --fast build/asan; }
end_tidy() {
  if [[ -z ${beside[tidy]:-} ]]; then begin_tidy; fi
  check "clang-tidy, the rest of it" tidy end_beside tidy || true
}

# Builds and links the engine as its users do, and checks the binaries. One of these is the program of build/release.
begin_configurations() {
  begin_beside configurations nice -n 19 env CMAKE_BUILD_PARALLEL_LEVEL="$(jobs_max)" python3 tests/configurations/run.py
}
end_configurations() { suite "build configurations, the rest" configurations count_conformance end_beside configurations; }

begin_fuzz() { begin_beside fuzz nice -n 10 bash tools/dev/fuzz.sh --built --seconds 3; }
end_fuzz() {
  if [[ -z ${beside[fuzz]:-} ]]; then begin_fuzz; fi
  suite "fuzz, 3 s each, the rest" fuzz count_fuzz end_beside fuzz
}

begin_package() { begin_beside package python3 tests/packaging/package_test.py build/release; }
end_package() {
  if [[ -z ${beside[package]:-} ]]; then begin_package; fi
  check "the package on a machine of its own, the rest" package end_beside package || true
}

end_to_end() {
  suite "rude clients" attacks count_conformance python3 tests/attacks/run.py \
    --server build/release/tests/programs/echo_server
  suite "conformance" conformance count_conformance python3 tests/conformance/run.py \
    --server build/release/examples/echo --client build/release/tests/conformance/echo_client
  suite "conformance, on epoll" conformance-epoll count_conformance python3 tests/conformance/run.py \
    --server "build/release/tests/programs/echo_server loop=epoll"
  if [[ ! -f tests/e2e/package.json ]]; then return 0; fi
  check "npm ci" npm-ci end_beside npm-ci || return 0
  suite "interoperability" interop count_conformance /usr/bin/python3 tests/interop/run.py \
    --server build/release/tests/programs/echo_server --client build/release/tests/conformance/echo_client \
    --fanfare build/release/apps/fanfare/fanfare
  suite "interoperability, on epoll" interop-epoll count_conformance \
    build/release/tests/programs/without_uring /usr/bin/python3 tests/interop/run.py \
    --server build/release/tests/programs/echo_server --client build/release/tests/conformance/echo_client \
    --fanfare build/release/apps/fanfare/fanfare
  suite "end to end" e2e count_node run_node_tests
}
# Files of tests mostly wait, so one more runs at once than there are cores. Those that say "// Runs alone" follow, one by one.
run_node_tests() {
  local file files=() alone=() status=0
  while IFS= read -r file; do
    if grep -q '^// Runs alone' "tests/e2e/$file"; then alone+=("$file"); else files+=("$file"); fi
  done < <(cd tests/e2e && find . -name node_modules -prune -o \( -name '*.test.mjs' -o -name '*.test.js' \) -print | sort)
  export FANFARE_BIN=$PWD/build/release/apps/fanfare/fanfare
  node_tests "$(($(nproc) + 1))" "${files[@]}" || status=1
  node_tests 1 "${alone[@]}" || status=1
  return "$status"
}
node_tests() {
  local at_once=$1
  shift
  (cd tests/e2e && node --test --test-concurrency="$at_once" --test-reporter=tap "$@")
}

# The client library and its hooks: unit tests, real browsers, the packages, and the real daemon. Then the dashboard in Chromium, with
# the program that was just built.
web_tests() {
  check "npm ci, web" npm-ci-web end_beside npm-ci-web || return 0
  check "web: types" web-types run_web_types || true
  check "build the dashboard" build-web build_web release || return 0
  begin_package  # it has the dashboard
  # Each of the two uses less than half of two cores.
  begin_beside dashboard env FANFARE_BIN="$PWD/build/release/apps/fanfare/fanfare" \
    node --test --test-concurrency=1 --test-reporter=tap web/app/test/dashboard.test.js web/app/test/dashboard_nodes.test.js web/app/test/admin.test.js
  suite "web: client, hooks and app" web count_vitest run_vitest
  suite "web: dashboard" dashboard count_node end_beside dashboard
}
run_web_types() (cd web && npx tsc --build && npx tsc -p tsconfig.test.json && npx tsc --noEmit -p app)
run_vitest() (cd web && FANFARE_BIN=$OLDPWD/build/release/apps/fanfare/fanfare NO_COLOR=1 npx vitest run)

need build web test
if [[ -x $NODE_HOME/bin/node ]]; then export PATH=$NODE_HOME/bin:$PATH; fi
say "dev: $(jobs_max) jobs, logs in $LOGS"
if [[ -n $filter ]]; then
  unit_tests_asan
else
  fast_checks
  if [[ -z $quick ]]; then
    begin_packages_of_node
    # In folders that are new, as in continuous integration: everything is compiled. With g++ and -O3 it saves no time, and takes memory.
    configure_options=(-DFANFARE_UNITY_FILES=64 -DFANFARE_TEST_LINES=OFF)
  fi
  unit_tests_asan
  check "dead code" dead-code python3 tools/dead_code.py build/asan || true
  if [[ -z $quick ]]; then
    unit_tests_without_uring
    soak_short
    unit_tests_tsan
    if [[ -z ${beside[build-release]:-} ]]; then begin_release_build; fi
    released=
    if check "build release, the rest" build-release end_beside build-release; then released=yes; fi
    begin_configurations
    if [[ -n $released ]]; then
      end_to_end
      # The browsers' tests leave half of the machine idle.
      begin_fuzz
      web_tests
      end_package
    fi
    end_configurations
    end_tidy
    end_fuzz
  fi
fi

# Once more: they may be far above.
if ((failed)); then printf 'failed in %s\n' "${failures[@]}"; fi
say "dev: $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s"
# Programs read the last line, so it contains nothing else.
say "$passed passed, $failed failed"
if ((failed)); then exit 1; fi
