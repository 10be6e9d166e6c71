#include "upstream/pool_members.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "jsonrpc/response.h"

namespace fanfare::upstream {
namespace {

constexpr std::string_view kHeadQuery = R"({"jsonrpc":"2.0","id":0,"method":"eth_blockNumber","params":[]})";
constexpr int kLatencySmoothing = 8;

std::optional<std::uint64_t> quantity_result(std::string_view body) {
  const auto answer = jsonrpc::split_response(body);
  if (!answer) return std::nullopt;
  std::string_view text = answer->result;
  if (text.size() < 5 || !text.starts_with("\"0x") || !text.ends_with('"')) return std::nullopt;
  text = text.substr(3, text.size() - 4);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

PoolMembers::PoolMembers(Worker& worker, std::vector<std::unique_ptr<Backend>> backends,
                         const PoolOptions& options, Observer* observer)
    : worker_(worker), options_(options), observer_(observer), available_(backends.size()) {
  FANFARE_CHECK(!backends.empty());
  members_.reserve(backends.size());
  for (auto& backend : backends) {
    members_.push_back({.backend = std::move(backend), .health = Health(options_.health, random_)});
  }
}

void PoolMembers::begin() {
  if (members_.size() > 1 && options_.watch_heads_every > Duration::zero()) watch_heads();
}

void PoolMembers::end() {
  ended_ = true;
  worker_.cancel(watch_timer_);
  for (Member& member : members_) worker_.cancel(member.probe_timer);
}

void PoolMembers::destroy_backends() {
  FANFARE_CHECK(ended_);
  for (Member& member : members_) member.backend.reset();
}

std::optional<std::size_t> PoolMembers::choose(const std::vector<bool>& tried, bool only_available) const {
  std::uint64_t head_best = 0;
  for (const Member& member : members_) {
    if (member.health.available()) head_best = std::max(head_best, member.head);
  }
  std::optional<std::size_t> best;
  std::pair<int, Instant> best_rank;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    const bool available = member.health.available();
    if (tried[i] || (only_available && !available)) continue;
    const bool lagging = member.head != 0 && member.head + options_.head_lag_max < head_best;
    const std::pair rank{available ? (lagging ? 1 : 0) : 2, available ? Instant{} : member.health.retry_at()};
    if (!best || rank < best_rank) {
      best = i;
      best_rank = rank;
    }
  }
  return best;
}

void PoolMembers::note(std::size_t index, Instant begun, const Result& result, bool probe) {
  if (ended_) return;
  Member& member = members_[index];
  const Instant now = worker_.now();
  if (result) {
    const Duration latency = now - begun;
    member.latency = member.latency == Duration::zero()
                         ? latency
                         : member.latency + (latency - member.latency) / kLatencySmoothing;
    cross(index, member.health.answered(begun, now), nullptr);
  } else if (probe && !member.health.available()) {
    member.health.probe_failed(result.error(), now);
    arm_probe(index);
  } else {
    cross(index, member.health.failed(result.error(), now), &result.error());
  }
}

void PoolMembers::cross(std::size_t index, Health::Edge edge, const Failure* failure) {
  Member& member = members_[index];
  const std::string_view endpoint = member.backend->name();
  switch (edge) {
    case Health::Edge::none:
      return;
    case Health::Edge::failed: {
      --available_;
      const auto wait = member.health.retry_at() - worker_.now();
      log::warn("upstream_failed",
                {{"endpoint", endpoint},
                 {"reason", to_string(failure->kind)},
                 {"status", failure->http_status},
                 {"message", failure->message},
                 {"retry_in_ms", std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()}});
      arm_probe(index);
      break;
    }
    case Health::Edge::recovered:
      ++available_;
      log::info("upstream_recovered", {{"endpoint", endpoint}});
      worker_.cancel(member.probe_timer);
      break;
  }
  if (observer_ != nullptr) observer_->availability_changed(endpoint, edge == Health::Edge::recovered);
}

void PoolMembers::arm_probe(std::size_t index) {
  Member& member = members_[index];
  worker_.cancel(member.probe_timer);
  member.probe_timer = worker_.call_at(member.health.retry_at(), [this, index] { ask_head(index, nullptr); });
}

void PoolMembers::ask_head(std::size_t index, HeadWaiter waiter) {
  Member& member = members_[index];
  if (waiter) member.head_waiters.push_back(std::move(waiter));
  if (member.head_asked) return;
  member.head_asked = true;
  const Instant begun = worker_.now();
  CallOptions options{
      .timeout = options_.probe_timeout, .method = "eth_blockNumber", .repeat = Repeat::always};
  member.backend->call(std::string(kHeadQuery), std::move(options),
                       [this, index, begun](const Result& result) {
                         Member& asked = members_[index];
                         asked.head_asked = false;
                         auto waiters = std::exchange(asked.head_waiters, {});
                         if (ended_) return;
                         note(index, begun, result, /*probe=*/true);
                         if (const auto number = result ? quantity_result(result->body) : std::nullopt)
                           head_seen(index, *number);
                         for (HeadWaiter& each : waiters) each();
                       });
}

void PoolMembers::watch_heads() {
  const Instant now = worker_.now();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const bool heard_of = now - members_[i].head_at < options_.watch_heads_every;
    if (members_[i].health.available() && !heard_of) ask_head(i, nullptr);
  }
  watch_timer_ = worker_.call_after(options_.watch_heads_every, [this] { watch_heads(); });
}

void PoolMembers::head_seen(std::size_t member, std::uint64_t number) {
  FANFARE_CHECK(member < members_.size());
  members_[member].head = number;
  members_[member].head_at = worker_.now();
}

std::vector<MemberStatus> PoolMembers::status() const {
  std::vector<MemberStatus> all;
  for (const Member& member : members_) {
    all.push_back({.name = member.backend->name(),
                   .available = member.health.available(),
                   .head = member.head,
                   .latency = member.latency});
  }
  return all;
}

}  // namespace fanfare::upstream
