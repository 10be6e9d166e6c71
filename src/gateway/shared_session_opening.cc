#include "gateway/shared_session_opening.h"

#include <algorithm>

#include "base/log_limiter.h"
#include "base/text.h"

namespace fanfare::gateway {
namespace {

std::string taken_text(const eth::ResumeKey& key, std::uint32_t turn) {
  const std::string mark(1, kTaken);
  return joined({mark, text_of(key), mark, std::to_string(turn)});
}

void count(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void SharedSessions::Opening::look(const std::shared_ptr<Opening>& opening) {
  if (!opening->shared_.broker_.is_up() || ++opening->tries_ > kTriesMax) return opening->go_on_alone();
  opening->shared_.broker_.get(
      text_of(opening->key()),
      [opening](const std::expected<std::optional<Stored>, Failure>& got) { opening->got(got); });
}

void SharedSessions::Opening::got(const std::expected<std::optional<Stored>, Failure>& got) {
  if (!got) return go_on_alone();
  if (*got) return found(**got);
  if (store_->has(key())) {
    turn_ = shared_.turn_here(key()).value_or(0);
    return reopen(0);
  }
  turn_ = 0;
  adopt(0, {}, false);
}

void SharedSessions::Opening::found(const Stored& stored) {
  auto session = eth::decode_session(stored.value);
  if (!session) {
    static LogLimiter limiter(log::Level::error, "session_unreadable");
    limiter.write({{"bytes", stored.value.size()}, {"reason", "it is of another version, or damaged"}});
    return finish(std::unexpected(Refused{.why = Refusal::unreadable}));
  }
  const bool is_ours = session->instance == shared_.instance_;
  const auto turn_here = shared_.turn_here(key());
  // The broker has lost the copy of what is here, and has one of before.
  const bool is_newer_here = turn_here && *turn_here > session->turn;
  if (is_newer_here || (is_ours && store_->has(key()))) {
    turn_ = turn_here.value_or(session->turn);
    return reopen(stored.revision);
  }
  turn_ = session->turn + 1;
  left_.reset();
  // What is here is older.
  if (!is_ours) {
    shared_.lose(key());
    store_->release(key());
  }
  if (exact_ && exact_->instance == session->instance) return take_over(stored.revision);
  if (is_ours || session->is_closed) {
    count(session->is_closed ? shared_.counters_.restored : shared_.counters_.stale);
    if (!is_ours) left_ = session->instance;
    return adopt(stored.revision, session->image, !session->is_closed);
  }
  ask(session->instance, stored.revision, std::move(session->image));
}

void SharedSessions::Opening::ask(std::uint64_t instance, std::uint64_t revision, eth::ResumeImage copy) {
  shared_.broker_.ask(
      instance, text_of(key()),
      [self = shared_from_this(), instance, revision, copy = std::move(copy)](
          const std::optional<std::string>& answer) { self->answered(instance, revision, copy, answer); });
}

void SharedSessions::Opening::answered(std::uint64_t instance, std::uint64_t revision,
                                       const eth::ResumeImage& copy,
                                       const std::optional<std::string>& answer) {
  if (answer == kTooLong) {
    count(shared_.counters_.refused);
    return finish(std::unexpected(Refused{.why = Refusal::away}));
  }
  auto session = answer ? eth::decode_session(*answer) : std::nullopt;
  if (session && session->instance == instance) {
    count(shared_.counters_.taken);
    exact_ = std::move(session);
    return take_over(revision);
  }
  count(shared_.counters_.stale);
  adopt(revision, copy, true);
}

void SharedSessions::Opening::take_over(std::uint64_t revision) {
  turn_ = std::max(turn_, exact_->turn + 1);
  adopt(revision, exact_->image, false);
}

void SharedSessions::Opening::reopen(std::uint64_t revision) {
  auto lease = store_->open(key(), caller_.counts_for, caller_.identity, shared_.clock_.now());
  if (!lease) return finish(std::unexpected(Refused{.why = Refusal::limit, .limit = lease.error()}));
  is_local_ = true;
  lease_.emplace(*std::move(lease));
  claim(revision);
}

void SharedSessions::Opening::adopt(std::uint64_t revision, const eth::ResumeImage& image, bool is_stale) {
  auto lease =
      store_->adopt(key(), caller_.counts_for, caller_.identity, image, is_stale, shared_.clock_.now());
  if (!lease) return finish(std::unexpected(Refused{.why = Refusal::limit, .limit = lease.error()}));
  is_local_ = false;
  lease_.emplace(*std::move(lease));
  claim(revision);
}

// Also of a session that is here: its copy may say that it is closed.
void SharedSessions::Opening::claim(std::uint64_t revision) {
  auto copy = store_->copy(key());
  auto value = copy ? shared_.encode(false, turn_, std::move(copy->image)) : std::nullopt;
  if (!value) return claimed(std::unexpected(Failure::away));
  shared_.broker_.put(text_of(key()), *std::move(value), revision,
                      [self = shared_from_this()](const std::expected<std::uint64_t, Failure>& result) {
                        self->claimed(result);
                      });
}

void SharedSessions::Opening::claimed(std::expected<std::uint64_t, Failure> result) {
  if (result) {
    shared_.keep(key(), store_, *result, turn_);
    if (left_) shared_.broker_.ask(*left_, taken_text(key(), turn_), [](const auto& /*answer*/) {});
    return finish(std::move(*lease_));
  }
  if (result.error() == Failure::conflict) return look(shared_from_this());
  go_on_alone();
}

void SharedSessions::Opening::go_on_alone() {
  if (!lease_ && store_->has(key())) {
    auto lease = store_->open(key(), caller_.counts_for, caller_.identity, shared_.clock_.now());
    if (!lease) return finish(std::unexpected(Refused{.why = Refusal::limit, .limit = lease.error()}));
    lease_.emplace(*std::move(lease));
    is_local_ = true;
  }
  if (is_local_) {
    shared_.note_reopened(key());
    return finish(std::move(*lease_));
  }
  // Nobody knows whether the copy has our name by now. Nothing was sent, so it is as good as before.
  if (lease_) store_->release(key());
  count(shared_.counters_.refused);
  finish(std::unexpected(Refused{.why = Refusal::away}));
}

void SharedSessions::Opening::finish(std::expected<eth::ResumeLease, Refused> result) {
  const auto self = shared_from_this();
  Opened done = std::move(done_);
  done(std::move(result));
  shared_.ended(self->key());
}

}  // namespace fanfare::gateway
