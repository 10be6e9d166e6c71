#include "relay/topic_feed.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/log.h"
#include "relay/relay_log.h"

namespace fanfare::relay {
namespace {

constexpr std::uint64_t kEpochMask = (std::uint64_t{1} << 53U) - 1;  // JavaScript's Number.MAX_SAFE_INTEGER

std::uint64_t new_epoch(Random& random) {
  std::uint64_t epoch = 0;
  while (epoch == 0) epoch = random.next_u64() & kEpochMask;
  return epoch;
}

// The same for every instance that notices: none must end the epoch that another has just begun. If an ended epoch is there again, the
// reader has a later one, and the result is not the epoch that followed the first time.
std::uint64_t epoch_after(const StreamState& state, const Reader& reader) {
  SeededRandom random(state.epoch ^ std::rotl(reader.epoch(), 32) ^ (state.last << 1U));
  std::uint64_t epoch = new_epoch(random);
  while (reader.has_ended(epoch)) epoch = new_epoch(random);
  return epoch;
}

}  // namespace

TopicFeed::TopicFeed(World& world, std::string topic, StreamAddress address)
    : world_(world), topic_(std::move(topic)), address_(std::move(address)) {}

void TopicFeed::start_reading(const pubsub::RelayStart& from, const std::optional<Mark>& delivered) {
  is_read_ = true;
  is_opening_ = true;
  is_told_current_ = false;
  recent_max_ = from.recent_max;
  opening_ = from.opening;
  reader_.reset();
  watch_.forget();
  delivered_.reset();
  if (from.after.epoch != 0) {
    const bool is_known = delivered && delivered->position.epoch == from.after.epoch &&
                          delivered->position.offset >= from.after.offset;
    if (is_known) delivered_ = delivered;
    reader_.start_behind(is_known ? *delivered : Mark{.position = from.after});
  }
  restart();
}

void TopicFeed::stop_reading() {
  forget_consumer();
  is_read_ = false;
  held_.clear();
  lost_.reset();
  reader_.reset();
  watch_.forget();
  if (state_ != State::lost) state_ = State::known;
}

// One consumer after another begins at most every kAttemptWaitMin, whatever the broker sends.
void TopicFeed::restart() {
  next_attempt_ = state_ == State::reading ? saturating_add(began_, kAttemptWaitMin) : Instant{};
  state_ = State::lost;
  look_.take_heard();
  forget_consumer();
  attempt_wait_ = kAttemptWaitMin;
}

std::expected<void, std::string> TopicFeed::attempt(Instant now) {
  auto state = world_.jet_stream.open(address_, new_epoch(world_.random));
  if (!state) return std::unexpected(std::move(state.error()));
  std::uint64_t recent_max = is_opening_ ? recent_max_ : UINT64_MAX;
  if (reader_.is_rolled_back(*state)) {
    const StreamState ended = *state;
    const std::uint64_t other = epoch_after(ended, reader_);
    state = end_epoch(ended, other);
    if (!state) return std::unexpected(std::move(state.error()));
    if (state->epoch == other) {
      recent_max = messages_since(ended, *state);
      world_.link.publish(epoch_notice_of(address_.name, address_.token, other), {}, {}, {});
    }
  }
  if (!is_read_ && epoch_ != state->epoch) watch_.forget();
  epoch_ = state->epoch;
  if (!watch_.is_still()) plan_look(now);
  if (is_read_) return begin_consumer(*state, recent_max, now);
  state_ = State::known;
  return {};
}

std::expected<StreamState, std::string> TopicFeed::end_epoch(const StreamState& state, std::uint64_t other) {
  log::warn("relay_stream_rolled_back",
            {{"topic", topic_}, {"last", state.last}, {"delivered", reader_.next() - 1}});
  return world_.jet_stream.change_epoch(address_, state.epoch, other);
}

std::expected<void, std::string> TopicFeed::begin_consumer(const StreamState& state, std::uint64_t recent_max,
                                                           Instant now) {
  const std::uint64_t epoch_before = reader_.epoch();
  if (const auto lost = reader_.begin(state, recent_max)) lost_ = lost;
  if (epoch_before != 0 && epoch_before != reader_.epoch()) {
    log::warn("relay_stream_replaced", {{"topic", topic_}, {"epoch", reader_.epoch()}});
  }
  if (epoch_before != reader_.epoch() || state.last < watch_.expected()) watch_.forget();
  if (state.last >= reader_.next()) watch_.expect(state.last, now);
  // Another subject for each consumer: what an earlier one sent is not taken for this one's.
  deliver_to_ = "c." + std::to_string(world_.next_consumer++);
  subscription_ = world_.link.subscribe(deliver_to_);
  if (subscription_ == nullptr) return std::unexpected("no subscription");
  auto consumer = world_.jet_stream.consume(address_, reader_.from(), world_.link.inbox() + deliver_to_);
  if (!consumer) return std::unexpected(std::move(consumer.error()));
  consumer_ = *std::move(consumer);
  catch_up_to_ = state.last;
  heard_ = now;
  began_ = now;
  is_opening_ = false;
  state_ = State::reading;
  return {};
}

void TopicFeed::note_current() {
  if (is_read_ && is_ready() && has_caught_up()) offer_lost();
  if (!is_read_ || is_told_current_ || !is_current()) return;
  is_told_current_ = true;
  world_.sink.on_current(topic_, opening_);
}

void TopicFeed::on_message(const Incoming& message, const Delivery& delivery, Instant now) {
  if (state_ != State::reading) return;
  heard_ = now;
  look_.message_came();
  const auto epoch = epoch_of(message.subject).value_or(kNoEpoch);
  const Reader::Take take = reader_.take(delivery, epoch);
  watch_.came(reader_.next() - 1, now);
  switch (take) {
    case Reader::Take::deliver_after_gap:
      lost_ = Position{.epoch = epoch, .offset = delivery.stream_sequence - 1};
      [[fallthrough]];
    case Reader::Take::deliver:
      last_came_ = now;
      offer_lost();
      return offer({.mark = reader_.mark(), .payload = message.payload});
    case Reader::Take::skip:
      return note_current();
    case Reader::Take::skip_foreign:
      RelayLog::foreign(topic_, message.subject, delivery.stream_sequence);
      offer_lost();
      return offer({.mark = reader_.mark(), .payload = {}, .is_foreign = true});
    case Reader::Take::skip_epoch:
      lost_ = Position{.epoch = reader_.epoch(), .offset = reader_.next() - 1};
      return note_current();
    case Reader::Take::restart:
      return restart();
  }
}

void TopicFeed::on_sign_of_life(const Incoming& message, Instant now) {
  if (state_ != State::reading) return;
  heard_ = now;
  if (message.is_flow_control) {
    world_.link.publish(message.reply, {}, {}, {});
    return;
  }
  if (!message.stalled.empty()) world_.link.publish(message.stalled, {}, {}, {});
  if (!reader_.matches(message.last_consumer)) return restart();
  if (message.stalled.empty()) watch_.idle();
}

void TopicFeed::acknowledged(const Position& position, Instant now) {
  const bool is_expected = is_read_ ? position.epoch == reader_.epoch() && position.offset >= reader_.next()
                                    : position.epoch == epoch_;
  if (is_expected) watch_.expect(position.offset, now);
}

bool TopicFeed::watch_delivery(Instant now) {
  return watch_.act(now, [this] { return stands_still(); }, [this] { restart(); });
}

void TopicFeed::plan_look(Instant now) {
  if (watch_.is_still()) return look_.plan(saturating_add(now, DeliveryWatch::kWait));
  look_.plan_within(kHeartbeatsBetweenLooks * world_.heartbeat, now, world_.random);
}

// A wrong notice costs a question.
void TopicFeed::hear_of(std::uint64_t epoch) {
  if (state_ == State::reading && epoch != reader_.epoch()) look_.hear_of_epoch();
}

bool TopicFeed::look(Instant now) {
  if (!look_.is_due(now)) return true;
  const bool done = is_read_ ? look_for_more(now) : look_for_published();
  look_.made();
  plan_look(now);
  return done;
}

bool TopicFeed::look_for_more(Instant now) {
  const bool may_have_more = look_.is_quiet() && watch_.expected() == 0;
  if (!look_.take_heard() && !may_have_more) return true;
  const auto state = world_.jet_stream.find(address_);
  if (!state) return false;
  if (!*state) return true;
  // Another instance has begun it.
  if ((*state)->epoch != reader_.epoch()) {
    restart();
  } else if ((*state)->last >= reader_.next()) {
    watch_.expect((*state)->last, now);
  }
  return true;
}

bool TopicFeed::look_for_published() {
  if (watch_.expected() == 0) return true;
  const auto is_still = stands_still();
  if (!is_still) return false;
  if (*is_still) return true;
  const bool was_still = watch_.is_still();
  // What the broker has in its memory may not be on its disk: once more.
  if (!was_still && std::exchange(seen_, watch_.expected()) != watch_.expected()) return true;
  watch_.forget();
  if (was_still) restart();
  return true;
}

std::expected<bool, std::string> TopicFeed::stands_still() {
  const std::uint64_t expected = watch_.expected();
  const auto has = world_.jet_stream.has(address_, expected);
  if (!has) return std::unexpected(has.error());
  // Nobody here could see that it is not delivered.
  if (*has && !is_read_) return false;
  // After that, because its limits may drop it in between.
  const auto state = world_.jet_stream.find(address_);
  if (!state) return std::unexpected(state.error());
  // Deleted, begun again, or dropped by its limits: the next consumer begins accordingly.
  const bool is_there =
      *state && (*state)->epoch == epoch_ && (*state)->first <= expected && expected <= (*state)->last;
  if (!is_there) return false;
  if (!*has) {
    const auto is_deleted = pass_deleted(expected);
    if (!is_deleted) return std::unexpected(is_deleted.error());
    if (*is_deleted) return false;
  }
  if (watch_.stands_still()) {
    world_.counters.stalls.fetch_add(1, std::memory_order_relaxed);
    RelayLog::stands_still(topic_, address_.stream(), expected, *has);
  }
  return true;
}

std::expected<bool, std::string> TopicFeed::pass_deleted(std::uint64_t sequence) {
  const auto deleted = world_.jet_stream.deleted(address_);
  if (!deleted) return std::unexpected(deleted.error());
  if (!std::ranges::binary_search(*deleted, sequence)) return false;
  if (!is_read_) return true;
  std::uint64_t kept = sequence;
  while (kept >= reader_.next() && std::ranges::binary_search(*deleted, kept)) --kept;
  // Another one should have come.
  if (kept >= reader_.next()) return false;
  log::warn("relay_events_deleted", {{"topic", topic_}, {"sequence", sequence}});
  if (sequence >= reader_.next()) lost_ = Position{.epoch = reader_.epoch(), .offset = sequence};
  reader_.pass(sequence);
  return true;
}

bool TopicFeed::end_checking() {
  const auto is_deleted = pass_deleted(reader_.next() - 1);
  if (!is_deleted) return false;
  if (!*is_deleted) restart();
  note_current();
  return true;
}

void TopicFeed::offer_lost() {
  if (const auto lost = std::exchange(lost_, std::nullopt))
    offer({.mark = {.position = *lost}, .payload = {}, .is_lost = true});
}

void TopicFeed::offer(Held held) {
  held_.push_back(std::move(held));
  if (held_.size() == 1) offer_held();
  if (held_.size() <= kHeldMax || state_ != State::reading) return;
  forget_consumer();
  state_ = State::paused;
}

void TopicFeed::offer_held() {
  while (!held_.empty()) {
    const Held& first = held_.front();
    if (first.is_lost) {
      world_.sink.on_lost(topic_, first.mark.position);
    } else if (first.is_foreign) {
      if (!world_.sink.on_foreign(topic_, first.mark.position)) return;
    } else if (!world_.sink.on_message(topic_, first.mark.position, first.payload)) {
      return;
    }
    delivered_ = first.mark;
    held_.pop_front();
  }
  note_current();
}

// The broker ends a consumer whose subject nobody subscribes to.
void TopicFeed::forget_consumer() {
  consumer_.clear();
  deliver_to_.clear();
  subscription_.reset();
}

bool TopicFeed::tick(Instant now) {
  offer_held();
  if (state_ == State::paused && held_.empty()) restart();
  const Duration wait_max = kHeartbeatsMissedMax * world_.heartbeat;
  if (state_ == State::reading && now - heard_ > wait_max) restart();
  // The message that should have come first was dropped or deleted, and there is no later one.
  if (state_ == State::reading && reader_.is_checking() && now - began_ > wait_max && !end_checking())
    return false;
  if (state_ == State::reading && !watch_delivery(now)) return false;
  if ((state_ == State::reading || state_ == State::known) && !look(now)) return false;
  if (state_ != State::lost || now < next_attempt_) return true;
  auto done = attempt(now);
  if (done) {
    problem_.clear();
    attempt_wait_ = kAttemptWaitMin;
    note_current();
    return true;
  }
  if (problem_ != done.error()) {
    problem_ = std::move(done.error());
    log::warn("relay_topic_failed", {{"topic", topic_}, {"reason", problem_}});
  }
  next_attempt_ = saturating_add(now, attempt_wait_);
  attempt_wait_ = std::min(attempt_wait_ * 2, kAttemptWaitMax);
  return false;
}

}  // namespace fanfare::relay
