#include "upstream/node_intake.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "jsonrpc/value.h"

namespace fanfare::upstream {
namespace {

constexpr std::size_t kBytesOfOneMore = 4096;

}  // namespace

std::optional<std::uint64_t> wire_id_of(std::string_view token) {
  std::uint64_t id = 0;
  const auto [end, failed] = std::from_chars(token.data(), token.data() + token.size(), id);
  if (failed != std::errc{} || end != token.data() + token.size()) return std::nullopt;
  return id;
}

bool NodeIntake::Level::raise(double by, double most, double per_second, Instant now) {
  const double seconds = std::chrono::duration<double>(now - at).count();
  const double fallen = std::max(0.0, value - std::max(0.0, seconds) * per_second);
  at = now;
  value = fallen;
  if (fallen + by > most) return false;
  value += by;
  return true;
}

void NodeIntake::connected() {
  questions_.clear();
  nameless_errors_ = 0;
  subscriptions_.clear();
  useless_ = {};
  heads_ = {};
  heads_skipped_ = {};
}

void NodeIntake::asked(std::uint64_t wire_id, Asked what) {
  if (questions_.size() >= limits_.questions_max) questions_.erase(questions_.begin());
  questions_.emplace(wire_id, what);
}

NodeIntake::Verdict NodeIntake::judge(const jsonrpc::Answer* message, std::size_t bytes, Instant now) {
  if (message == nullptr) return useless("text that is not JSON-RPC", bytes, now);
  return message->is_notification() ? judge_notification(*message, bytes, now)
                                    : judge_answer(*message, bytes, now);
}

NodeIntake::Verdict NodeIntake::judge_answer(const jsonrpc::Answer& message, std::size_t bytes, Instant now) {
  const auto wire_id = wire_id_of(message.id);
  const auto found = wire_id ? questions_.find(*wire_id) : questions_.end();
  if (found == questions_.end() && answers_some_question(message)) return Verdict::drop;
  if (found == questions_.end()) return useless("answers that nobody asked for", bytes, now);
  const Asked what = found->second;
  questions_.erase(found);
  nameless_errors_ = std::min(nameless_errors_, questions_.size());
  if (what != Asked::answer && jsonrpc::kind_of(message.result) == jsonrpc::Kind::string) {
    if (subscriptions_.size() >= limits_.subscriptions_max) subscriptions_.erase(subscriptions_.begin());
    subscriptions_.push_back({.id_json = std::string(message.result), .what = what});
  }
  return Verdict::pass;
}

// JSON-RPC 2.0 §5: a request whose id the node could not read is answered under null. A client can provoke
// that, and must not be able to make its node look like a flooding one.
bool NodeIntake::answers_some_question(const jsonrpc::Answer& message) {
  if (message.id != "null" || message.error.empty() || nameless_errors_ >= questions_.size()) return false;
  ++nameless_errors_;
  return true;
}

NodeIntake::Verdict NodeIntake::judge_notification(const jsonrpc::Answer& message, std::size_t bytes,
                                                   Instant now) {
  const auto id = jsonrpc::member(message.params, "subscription");
  const auto found =
      id ? std::ranges::find(subscriptions_, *id, &Subscription::id_json) : subscriptions_.end();
  if (found == subscriptions_.end()) return useless("notifications that nobody asked for", bytes, now);
  if (found->what != Asked::heads || heads_.raise(1, limits_.heads_max, limits_.heads_per_second, now)) {
    return Verdict::pass;
  }
  problem_ = "heads faster than any chain has them";
  const bool few = heads_skipped_.raise(1, limits_.heads_skipped_max, limits_.heads_skipped_per_second, now);
  return few ? Verdict::newest : Verdict::flood;
}

NodeIntake::Verdict NodeIntake::useless(std::string_view problem, std::size_t bytes, Instant now) {
  problem_ = problem;
  const std::size_t counted = 1 + bytes / kBytesOfOneMore;
  const auto by = static_cast<double>(counted);
  return useless_.raise(by, limits_.useless_max, limits_.useless_per_second, now) ? Verdict::drop
                                                                                  : Verdict::flood;
}

}  // namespace fanfare::upstream
