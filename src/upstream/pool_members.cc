#include "upstream/pool_members.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/text.h"
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

// A rejection (401, 403, 404, 429): of every caller, or of this client's requests and their rate.
bool may_be_the_calls_fault(const Failure& failure) {
  return failure.kind == FailureKind::http_status && failure.http_status >= 400 &&
         failure.http_status < 500 && blames_endpoint(failure);
}

}  // namespace

PoolMembers::PoolMembers(Executor& worker, std::vector<std::unique_ptr<Backend>> backends,
                         const PoolOptions& options, Observer* observer)
    : worker_(worker),
      options_(options),
      observer_(observer),
      random_(options.random != nullptr ? *options.random : system_random_),
      checks_(worker, options.chain, observer, backends.size(),
              {.backend = [this](std::size_t index) -> Backend& { return backend(index); },
               .ended = [this](std::size_t index, Instant begun,
                               const Result& result) { note(index, begun, result, Asked::by_check); },
               .is_aside = [this](std::size_t index) { return !members_[index].health.available(); }}),
      available_(backends.size()) {
  FANFARE_CHECK(!backends.empty());
  members_.reserve(backends.size());
  for (auto& backend : backends) {
    members_.push_back({.backend = std::move(backend), .health = Health(options_.health, random_)});
  }
}

void PoolMembers::begin() {
  checks_.begin();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    backend(i).on_reconnect([this, i] { checks_.doubt(i, /*at_once=*/true); });
  }
  if (members_.size() > 1 && options_.watch_heads_every > Duration::zero()) watch_heads();
}

void PoolMembers::end() {
  ended_ = true;
  checks_.end();
  worker_.cancel(watch_timer_);
  for (Member& member : members_) worker_.cancel(member.probe_timer);
}

void PoolMembers::destroy_backends() {
  FANFARE_CHECK(ended_);
  for (Member& member : members_) member.backend.reset();
}

std::uint64_t PoolMembers::head_best() const {
  std::uint64_t best = 0;
  for (const Member& member : members_) {
    const bool counts =
        member.enabled && member.health.available() &&
        checks_.standing(static_cast<std::size_t>(&member - members_.data())) == ChainChecks::Standing::right;
    if (counts) best = std::max(best, member.head);
  }
  return best;
}

bool PoolMembers::is_second_choice(const Member& member, std::uint64_t head_best) const {
  const bool lagging = member.head != 0 && member.head + options_.head_lag_max < head_best;
  return lagging || member.stalled || worker_.now() < std::max(member.distrusted_until, member.limited_until);
}

std::optional<std::size_t> PoolMembers::choose(const std::vector<bool>& tried, bool only_available,
                                               std::uint64_t head_wanted) const {
  const std::uint64_t best_head = head_best();
  std::optional<std::size_t> best;
  std::tuple<bool, bool, bool, bool, Instant> best_rank;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    const bool available = member.health.available();
    const auto standing = checks_.standing(i);
    const bool is_right = standing == ChainChecks::Standing::right;
    if (tried[i] || !member.enabled) continue;
    if ((only_available && !(available && is_right))) continue;
    if (standing == ChainChecks::Standing::wrong) continue;
    const std::tuple rank{!available, !is_right, available && member.head < head_wanted,
                          available && is_second_choice(member, best_head),
                          available ? Instant{} : member.health.retry_at()};
    if (!best || rank < best_rank) {
      best = i;
      best_rank = rank;
    }
  }
  return best;
}

void PoolMembers::note(std::size_t index, Instant begun, const Result& result, Asked asked) {
  if (ended_) return;
  if (!result && asked == Asked::by_call && may_be_the_calls_fault(result.error())) return confirm(index);
  Member& member = members_[index];
  const Instant now = worker_.now();
  if (result) {
    member.failing_since.reset();
    member.failure.clear();
    const Duration latency = now - begun;
    member.latency = member.latency == Duration::zero()
                         ? latency
                         : member.latency + (latency - member.latency) / kLatencySmoothing;
    cross(index, member.health.answered(begun, now), nullptr);
  } else if (blames_endpoint(result.error())) {
    if (!member.failing_since) member.failing_since = now;
    member.failure = joined({to_string(result.error().kind), ": ", result.error().message});
  }
  if (result) return;
  if (asked != Asked::by_call && !member.health.available()) {
    member.health.probe_failed(result.error(), now);
    arm_probe(index);
  } else {
    cross(index, member.health.failed(result.error(), now), &result.error());
    if (asked != Asked::by_check) doubt_chain(index, result.error());
  }
}

// A node that rejects one client's call may answer all others: it is sent a harmless call, and that result
// counts.
void PoolMembers::confirm(std::size_t index) {
  Member& member = members_[index];
  const Instant now = worker_.now();
  member.limited_until = now + options_.limited_for;
  if (member.confirmed_at && now - *member.confirmed_at < options_.confirm_every) return;
  member.confirmed_at = now;
  ask_head(index, nullptr);
}

// A refused or closed connection may mean that the node was restarted, perhaps on another chain. Other
// failures may mean that a proxy in front of it was.
void PoolMembers::doubt_chain(std::size_t index, const Failure& failure) {
  if (!blames_endpoint(failure) || failure.kind == FailureKind::timeout) return;
  const bool was_lost = failure.kind == FailureKind::connect || failure.kind == FailureKind::closed ||
                        failure.kind == FailureKind::resolve || failure.kind == FailureKind::tls;
  if (was_lost) {
    checks_.doubt(index, /*at_once=*/members_[index].health.available());
  } else if (members_[index].health.available()) {
    checks_.recheck(index);
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
      log_.warn("upstream_failed",
                {{"endpoint", endpoint},
                 {"reason", to_string(failure->kind)},
                 {"status", failure->http_status},
                 {"message", failure->message},
                 {"retry_in_ms", std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()}});
      arm_probe(index);
      checks_.doubt(index, /*at_once=*/false);
      break;
    }
    case Health::Edge::recovered:
      ++available_;
      forget_gone();  // nobody asked this one
      log_.info("upstream_recovered", {{"endpoint", endpoint}});
      worker_.cancel(member.probe_timer);
      checks_.recheck(index);
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
  member.head_asked_at = begun;
  CallOptions options;
  options.timeout = options_.probe_timeout;
  options.for_source = true;
  options.method = "eth_blockNumber";
  options.repeat = Repeat::always;
  member.backend->call(
      std::string(kHeadQuery), std::move(options), [this, index, begun](const Result& result) {
        if (ended_) return;
        note(index, begun, result, Asked::by_probe);
        if (!result) return head_answered(index, &result.error(), std::nullopt);
        const auto number = quantity_result(result->body);
        if (!checks_.must_prove(index, result->new_connection)) {
          return head_answered(index, nullptr, number);
        }
        checks_.prove(
            index, [this, index, number](const Failure* problem) { head_answered(index, problem, number); });
      });
}

// `problem` null: the member has answered, with its head if it said one.
void PoolMembers::head_answered(std::size_t index, const Failure* problem,
                                std::optional<std::uint64_t> number) {
  Member& member = members_[index];
  member.head_asked = false;
  auto waiters = std::exchange(member.head_waiters, {});
  if (problem == nullptr && number) head_seen(index, *number);
  for (HeadWaiter& each : waiters) each(problem);
}

void PoolMembers::watch_heads() {
  const Instant now = worker_.now();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const bool heard_of = now - members_[i].head_at < options_.watch_heads_every;
    const bool is_wrong = checks_.standing(i) == ChainChecks::Standing::wrong;
    if (members_[i].health.available() && !is_wrong && !heard_of) ask_head(i, nullptr);
  }
  watch_timer_ = worker_.call_after(options_.watch_heads_every, [this] { watch_heads(); });
}

void PoolMembers::head_seen(std::size_t member, std::uint64_t number) {
  FANFARE_CHECK(member < members_.size());
  if (number + options_.head_lag_max < members_[member].head) checks_.recheck(member);
  if (number >= gone_from_) gone_until_ = {};
  members_[member].head = number;
  members_[member].head_at = worker_.now();
  if (members_[member].stalled && number >= head_best()) set_stalled(member, false);
}

bool PoolMembers::may_have(std::uint64_t number) const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    if (!member.enabled || checks_.standing(i) == ChainChecks::Standing::wrong) continue;
    const bool never_heard_of = member.head_at == Instant{};
    const bool fails = member.failing_since.has_value();
    if (never_heard_of && !fails) return true;
    const bool believed = !fails || worker_.now() - *member.failing_since < options_.head_believed_for;
    if (!never_heard_of && member.head >= number && believed) return true;
  }
  return false;
}

void PoolMembers::note_gone(std::uint64_t number) {
  gone_from_ = number;
  gone_until_ = worker_.now() + options_.gone_for;
}

void PoolMembers::block_seen(std::size_t index, std::uint64_t number) {
  if (number > members_[index].head) head_seen(index, number);
}

void PoolMembers::head_stalled(std::uint64_t number, UniqueFunction<void()> found_better) {
  auto told = std::make_shared<UniqueFunction<void()>>(std::move(found_better));
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const bool is_wrong = checks_.standing(i) == ChainChecks::Standing::wrong;
    if (!members_[i].enabled || !members_[i].health.available() || is_wrong) continue;
    // One answer is enough: a hanging member must not delay the news of the others.
    ask_head(i, [this, number, told](const Failure*) {
      const std::uint64_t best = head_best();
      if (best <= number) return;
      for (std::size_t k = 0; k < members_.size(); ++k) {
        if (members_[k].head < best && members_[k].head <= number) set_stalled(k, true);
      }
      if (*told) std::exchange(*told, nullptr)();
    });
  }
}

void PoolMembers::set_stalled(std::size_t index, bool stalled) {
  Member& member = members_[index];
  if (member.stalled == stalled) return;
  member.stalled = stalled;
  const std::string_view endpoint = member.backend->name();
  if (stalled) {
    log_.warn("upstream_stalled", {{"endpoint", endpoint}, {"head", member.head}, {"best", head_best()}});
  } else {
    log_.info("upstream_caught_up", {{"endpoint", endpoint}, {"head", member.head}});
  }
  if (observer_ != nullptr) observer_->stall_changed(endpoint, stalled);
}

void PoolMembers::disagreed(std::size_t index) {
  Member& member = members_[index];
  const Instant now = worker_.now();
  // After long enough without errors, the earlier distrust is forgotten.
  if (now - member.distrusted_until > options_.distrust_max) member.distrust = Duration::zero();
  member.distrust = std::clamp(member.distrust * 2, options_.distrust_min, options_.distrust_max);
  member.distrusted_until = now + member.distrust;
  const std::string_view endpoint = member.backend->name();
  log_.warn(
      "upstream_disagreed",
      {{"endpoint", endpoint},
       {"distrusted_ms", std::chrono::duration_cast<std::chrono::milliseconds>(member.distrust).count()}});
  if (observer_ != nullptr) observer_->disagreed(endpoint);
}

void PoolMembers::set_enabled(std::size_t index, bool enabled) {
  FANFARE_CHECK(index < members_.size());
  Member& member = members_[index];
  if (member.enabled == enabled) return;
  member.enabled = enabled;
  if (enabled) forget_gone();  // nobody asked this one
  log_.warn(enabled ? "upstream_enabled" : "upstream_disabled", {{"endpoint", member.backend->name()}});
}

bool PoolMembers::has_enabled() const {
  return std::ranges::any_of(members_, [](const Member& member) { return member.enabled; });
}

std::vector<MemberStatus> PoolMembers::status() const {
  std::vector<MemberStatus> all;
  const Instant now = worker_.now();
  const std::uint64_t best = head_best();
  for (const Member& member : members_) {
    const bool knows_head = member.head != 0;
    all.push_back({.name = member.backend->name(),
                   .enabled = member.enabled,
                   .available = member.health.available(),
                   .checked = checks_.standing(all.size()) == ChainChecks::Standing::right,
                   .stalled = member.stalled,
                   .lagging = knows_head && member.head + options_.head_lag_max < best,
                   .limited = now < member.limited_until,
                   .distrusted = now < member.distrusted_until,
                   .wrong_chain = checks_.problem(all.size()),
                   .head = member.head,
                   .lag = knows_head && best > member.head ? best - member.head : 0,
                   .latency = member.latency,
                   .retry_in = member.health.available()
                                   ? Duration::zero()
                                   : std::max<Duration>(member.health.retry_at() - now, {}),
                   .failure = member.failure});
  }
  return all;
}

}  // namespace fanfare::upstream
