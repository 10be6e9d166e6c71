#: build the fuzzers and run them
#:
#:   ./dev fuzz                    a smoke run, 10 s each
#:   ./dev fuzz --minutes N        N minutes each
#:   ./dev fuzz NAME               only the fuzzers whose name contains NAME
#:
#: Seeds come from fuzz/corpus/NAME. New inputs are kept in build/corpus/NAME, and failing inputs in
#: build/findings. Prints the executions and coverage of each fuzzer.
#needs: fuzz/CMakeLists.txt
source tools/dev/lib.sh

seconds=10
filter=
built=
while (($#)); do
  case $1 in
    --minutes) seconds=$((${2:?--minutes needs a number} * 60)) && shift ;;
    --seconds) seconds=${2:?--seconds needs a number} && shift ;;
    --built) built=yes ;;
    -*) die "fuzz knows no option '$1', see ./dev fuzz --help" ;;
    *) filter=$1 ;;
  esac
  shift
done

if [[ -z $built ]]; then
  need build test
  quietly "build fuzz" build-fuzz build_fuzzers || { show_failure build-fuzz && die "the fuzz build failed"; }
fi
mapfile -t programs < <(find build/asan/fuzz -maxdepth 1 -type f -executable -name "*${filter}*" | sort)
if ((${#programs[@]} == 0)); then die "no fuzzer is named like '$filter'"; fi

findings=$PWD/build/findings
mkdir -p "$findings"

run_one() {
  local program=$1 name log corpus seeds=() status=0 executions coverage
  name=$(basename "$program")
  log=$LOGS/fuzz-$name.log
  corpus=build/corpus/$name
  mkdir -p "$corpus"
  if [[ -d fuzz/corpus/$name ]]; then seeds=("fuzz/corpus/$name"); fi
  "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$findings/$name-" "$corpus" "${seeds[@]}" >"$log" 2>&1 </dev/null || status=$?
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
  coverage=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -n 1 || true)
  if ((status == 0)); then
    say "fuzz: $name: ${executions:-0} executions, ${coverage:-no coverage} ok"
  else
    say "fuzz: $name: ${executions:-0} executions, ${coverage:-no coverage} FAILED"
    grep -nE -A 25 'ERROR: |SUMMARY|runtime error|Test unit written' "$log" | sed -n 1,60p | sed 's/^/   | /' || true
    say "   whole log: $log"
  fi
  return "$status"
}

# Run as many fuzzers at once as cores and memory allow.
status=0
running=0
for program in "${programs[@]}"; do
  if ((running == $(jobs_max))); then
    wait -n || status=1
    running=$((running - 1))
  fi
  run_one "$program" &
  running=$((running + 1))
done
while ((running)); do
  wait -n || status=1
  running=$((running - 1))
done
exit "$status"
