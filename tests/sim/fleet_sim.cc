// A fleet of instances with a broker, nodes, a load balancer and clients, in simulated time (docs/simulation.md).
//
//   fleet_sim --seeds 2000 [--first 1]     one report for each failure, then sums; exit status 1 if any failed
//   fleet_sim --seed 17                    repeats one run and prints its events
//   fleet_sim --fault NAME ...             with a fault put in on purpose: ends with the first seed that finds it

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "fleet_broker.h"
#include "fleet_fleet.h"
#include "fleet_oracle.h"
#include "fleet_world.h"

namespace fanfare::fleet {
namespace {

World* current_world = nullptr;

constexpr auto kFaults = std::to_array<std::pair<const char*, Planted>>({
    {"none", Planted::none},
    {"resume-skips-one", Planted::resume_skips_one},
    {"lease-unchecked", Planted::lease_unchecked},
    {"relay-forgets", Planted::relay_forgets},
    {"silent-gap", Planted::silent_gap},
    {"no-deduplication", Planted::no_deduplication},
    {"times-alike", Planted::times_alike},
    {"cursor-skips", Planted::cursor_skips},
});

}  // namespace

World& world() {
  return *current_world;
}

// --- the trace -----------------------------------------------------------------------------------------

void Trace::tell(std::string_view who, std::string_view what) {
  const auto micros =
      (world().time.now().time_since_epoch() - std::chrono::hours(1)) / std::chrono::microseconds(1);
  std::array<char, 32> at{};
  std::snprintf(at.data(), at.size(), "%11.6f  ", static_cast<double>(micros) / 1e6);
  std::string text = line(at.data(), who, ": ", what);
  for (const char c : text) checksum_ = (checksum_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  if (talks_) std::printf("%s\n", text.c_str());
  last_.push_back(std::move(text));
  if (last_.size() > kLastMax) last_.pop_front();
}

// --- a world -------------------------------------------------------------------------------------------

World::World(std::uint64_t its_seed, bool talks, Planted fault)
    : seed(its_seed),
      planted(fault),
      random(its_seed),
      trace(talks),
      oracle(std::make_unique<Oracle>()),
      broker(std::make_unique<Broker>()) {
  current_world = this;
}

World::~World() {
  current_world = nullptr;
}

void World::fail(const std::string& what) {
  if (has_failed()) return;
  failure = what;
  trace.tell("FAILED", what);
}

void World::run_for(Duration duration) {
  const Instant until = time.now() + duration;
  while (!has_failed() && time.run_one(until)) {
  }
}

namespace {

// --- the command ---------------------------------------------------------------------------------------

struct Command {
  std::uint64_t first = 1;
  std::uint64_t count = 50;
  bool talks = false;
  std::pair<const char*, Planted> fault = kFaults[0];
};

struct Sums {
  std::uint64_t failed = 0, events = 0;
  Oracle::Sums oracle;
  Fleet::Sums fleet;
  std::uint64_t checksum = 0;
};

std::uint64_t seed_under_way = 0;

// The program itself found something wrong.
extern "C" void say_seed(int /*signal*/) {
  std::fprintf(stderr, "fleet_sim: aborted in seed %llu\n", static_cast<unsigned long long>(seed_under_way));
}

void report(const World& world, const Command& command) {
  const auto seed = static_cast<unsigned long long>(world.seed);
  std::printf("seed %llu: %s\n", seed, world.failure.c_str());
  if (!command.talks) {
    for (const std::string& each : world.trace.last()) std::printf("  %s\n", each.c_str());
  }
  const bool has_fault = command.fault.second != Planted::none;
  std::printf("again: ./dev sim fleet --seed %llu%s%s\n", seed, has_fault ? " --fault " : "",
              has_fault ? command.fault.first : "");
  std::fflush(stdout);
}

void run_seed(std::uint64_t seed, const Command& command, Sums& sums) {
  seed_under_way = seed;
  World world(seed, command.talks, command.fault.second);
  {
    Fleet fleet;
    fleet.run();
    sums.fleet.crashes += fleet.sums.crashes;
    sums.fleet.deploys += fleet.sums.deploys;
    sums.fleet.partitions += fleet.sums.partitions;
    sums.fleet.broker_ends += fleet.sums.broker_ends;
    sums.fleet.stalls += fleet.sums.stalls;
    sums.fleet.jumps += fleet.sums.jumps;
    sums.fleet.blocks += fleet.sums.blocks;
    sums.fleet.polls += fleet.sums.polls;
  }
  const Oracle::Sums& oracle = world.oracle->sums;
  sums.oracle.stored += oracle.stored;
  sums.oracle.seen += oracle.seen;
  sums.oracle.missed += oracle.missed;
  sums.oracle.receipts += oracle.receipts;
  sums.oracle.lost += oracle.lost;
  sums.oracle.given_twice += oracle.given_twice;
  sums.oracle.given_twice_unseen += oracle.given_twice_unseen;
  sums.events += world.time.events();
  sums.checksum = sums.checksum * 31 + world.trace.checksum();
  if (!world.has_failed()) return;
  ++sums.failed;
  report(world, command);
}

std::optional<std::uint64_t> number_of(const char* text) {
  std::uint64_t value = 0;
  const char* const end = text + std::strlen(text);
  if (std::from_chars(text, end, value).ptr != end || text == end) return std::nullopt;
  return value;
}

std::optional<Command> parse(int argc, char** argv) {
  Command command;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    const auto number = number_of(value);
    if (flag == "--fault") {
      const auto* const found = std::ranges::find_if(
          kFaults, [&](const auto& each) { return each.first == std::string_view(value); });
      if (found == kFaults.end()) return std::nullopt;
      command.fault = *found;
    } else if (flag == "--seeds" && number) {
      command.count = *number;
    } else if (flag == "--first" && number) {
      command.first = *number;
    } else if (flag == "--seed" && number) {
      command.first = *number;
      command.count = 1;
      command.talks = true;
    } else {
      return std::nullopt;
    }
  }
  return command;
}

int main_with(int argc, char** argv) {
  log::set_level(log::Level::off);
  std::signal(SIGABRT, say_seed);
  const auto command = parse(argc, argv);
  if (!command) {
    std::fputs("usage: fleet_sim [--seeds N] [--first N] [--seed N] [--fault NAME]\nfaults:", stderr);
    for (const auto& [name, fault] : kFaults) std::fprintf(stderr, " %s", name);
    std::fputs("\n", stderr);
    return 2;
  }
  if (command->talks) {
    // The program's own log belongs to the trace.
    log::set_level(log::Level::info);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
  }
  Sums sums;
  const bool stops_when_found = command->fault.second != Planted::none;
  std::uint64_t count = 0;
  while (count < command->count && !(stops_when_found && sums.failed > 0))
    run_seed(command->first + count++, *command, sums);
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu seeds, %llu failed: %llu events of the simulation, checksum %016llx\n", n(count),
              n(sums.failed), n(sums.events), n(sums.checksum));
  std::printf(
      "  %llu crashes, %llu deploys, %llu partitions, %llu broker restarts, %llu stalls, %llu clock jumps\n"
      "  %llu events stored, %llu lost by the broker, %llu receipts, %llu polls, %llu blocks; clients got "
      "%llu events and "
      "%llu notices\n"
      "  known faults: %llu places given twice, %llu of them unseen by a reader\n",
      n(sums.fleet.crashes), n(sums.fleet.deploys), n(sums.fleet.partitions), n(sums.fleet.broker_ends),
      n(sums.fleet.stalls), n(sums.fleet.jumps), n(sums.oracle.stored), n(sums.oracle.lost),
      n(sums.oracle.receipts), n(sums.fleet.polls), n(sums.fleet.blocks), n(sums.oracle.seen),
      n(sums.oracle.missed), n(sums.oracle.given_twice), n(sums.oracle.given_twice_unseen));
  return sums.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace fanfare::fleet

int main(int argc, char** argv) {
  return fanfare::fleet::main_with(argc, argv);
}
