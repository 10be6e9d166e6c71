#include "pubsub/keeper.h"

#include <utility>

#include "base/log.h"
#include "pubsub/hub.h"
#include "pubsub/loop_hub.h"

namespace fanfare::pubsub {

Keeper::Keeper(LoopHub& loop, Topic& topic)
    : loop_(loop),
      topic_(topic),
      last_(topic.stored->last),
      stores_(topic.stored->works_at_first),
      retry_at_(loop.port().now() + topic.stored->times.retry_interval) {}

void Keeper::take(std::shared_ptr<Flight> flight) {
  if (!stores_) {
    publish_unstored(flight);
    return try_again();
  }
  if (!number(*flight)) return;
  flight->at = loop_.port().now();
  topic_.stored->store->append(flight->position, flight->frame);
  waiting_.push_back(std::move(flight));
  watch(topic_.stored->times.stall_max);
}

bool Keeper::number(Flight& flight) {
  const Position next{.epoch = last_.epoch, .offset = last_.offset + 1};
  if (!flight.encode(next)) return false;
  flight.position = last_ = next;
  return true;
}

void Keeper::publish_unstored(const std::shared_ptr<Flight>& flight) {
  if (!number(*flight)) return;
  topic_.stored->unstored.fetch_add(1, std::memory_order_relaxed);
  loop_.distribute(flight);
}

void Keeper::take_report(const StoreReport& report) {
  switch (report.kind) {
    case StoreReport::Kind::stored:
      if (!stores_ || report.position.epoch != last_.epoch) return;  // it was given up before
      while (!waiting_.empty() && waiting_.front()->position.offset <= report.position.offset) {
        const std::shared_ptr<Flight> flight = std::move(waiting_.front());
        waiting_.pop_front();
        loop_.distribute(flight);
      }
      return;
    case StoreReport::Kind::failed:
      if (stores_ && report.position.epoch == last_.epoch) go_on_in_memory("the store failed");
      return;
    case StoreReport::Kind::begun:
      begins_ = false;
      stores_ = true;
      last_ = report.position;
      log::info("history_is_stored_again", {{"topic", log::excerpt(topic_.name)}});
      return;
    case StoreReport::Kind::not_begun:
      begins_ = false;
      retry_at_ = loop_.port().now() + topic_.stored->times.retry_interval;
      return;
  }
}

void Keeper::go_on_in_memory(const char* reason) {
  log::error("history_not_stored",
             {{"topic", log::excerpt(topic_.name)}, {"reason", reason}, {"waiting", waiting_.size()}});
  stores_ = false;
  retry_at_ = loop_.port().now() + topic_.stored->times.retry_interval;
  last_ = {.epoch = loop_.hub().new_epoch(), .offset = 0};
  const auto waiting = std::exchange(waiting_, {});
  for (const auto& flight : waiting) publish_unstored(flight);
}

void Keeper::try_again() {
  if (begins_ || loop_.port().now() < retry_at_) return;
  begins_ = true;
  topic_.stored->store->begin(loop_.hub().new_epoch());
}

void Keeper::watch(Duration delay) {
  if (std::exchange(is_watched_, true)) return;
  loop_.call_for_topic(topic_, delay, [](Keeper& keeper) { keeper.check_stall(); });
}

void Keeper::check_stall() {
  is_watched_ = false;
  if (waiting_.empty()) return;
  const Duration left = topic_.stored->times.stall_max - (loop_.port().now() - waiting_.front()->at);
  if (left > Duration::zero()) return watch(left);
  go_on_in_memory("the store stalled");
}

}  // namespace fanfare::pubsub
