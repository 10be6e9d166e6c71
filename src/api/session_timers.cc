#include "api/session_timers.h"

#include <algorithm>
#include <utility>

#include "api/border.h"
#include "api/connection.h"
#include "api/mounts.h"
#include "base/time.h"

namespace fanfare::api {

SessionTimers::~SessionTimers() {
  for (const auto& [engine, list] : timers_) {
    for (const Timer& timer : list) loop_.cancel(timer.due);
  }
}

std::uint64_t SessionTimers::add(session::Session& engine, std::chrono::milliseconds delay,
                                 UniqueFunction<void(Session&)> handler, std::size_t timers_max) {
  if (!engine.is_open() || timers_max == 0 || handler == nullptr) return 0;
  std::vector<Timer>& list = timers_[&engine];
  if (list.size() >= timers_max) return 0;
  const std::uint64_t number = ++last_number_;
  const Duration wait = std::max(saturating_duration(delay), Duration::zero());
  const net::TimerId due = loop_.call_after(wait, [this, &engine, number] { run(engine, number); });
  list.push_back({.number = number, .due = due, .handler = std::move(handler)});
  return number;
}

UniqueFunction<void(Session&)> SessionTimers::take(const session::Session& engine, std::uint64_t number) {
  const auto session = timers_.find(&engine);
  if (session == timers_.end()) return nullptr;
  std::vector<Timer>& list = session->second;
  const auto found = std::ranges::find(list, number, &Timer::number);
  if (found == list.end()) return nullptr;
  loop_.cancel(found->due);
  UniqueFunction<void(Session&)> handler = std::move(found->handler);
  list.erase(found);
  if (list.empty()) timers_.erase(session);
  return handler;
}

// Ended sessions were removed by forget(), so this session still exists.
void SessionTimers::run(session::Session& engine, std::uint64_t number) {
  UniqueFunction<void(Session&)> handler = take(engine, number);
  if (handler == nullptr || !engine.is_open()) return;
  if (!call_handler("timer", [&] { handler(Connection::of(engine).handle()); })) end_after_exception(engine);
}

bool SessionTimers::cancel(const session::Session& engine, std::uint64_t number) {
  return number != 0 && take(engine, number) != nullptr;
}

void SessionTimers::forget(const session::Session& engine) {
  if (timers_.empty()) return;
  // Removed first: destroying a handler's captures may call back into this object.
  auto session = timers_.extract(&engine);
  if (session.empty()) return;
  for (const Timer& timer : session.mapped()) loop_.cancel(timer.due);
}

}  // namespace fanfare::api
