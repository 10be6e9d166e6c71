#include "upstream/pool.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "upstream/pool_impl.h"

namespace fanfare::upstream {
namespace {

// The budget for hedges: how much each call adds to it, and its maximum.
constexpr double kHedgeShare = 0.1;

}  // namespace

Pool::Impl::Impl(Executor& worker, std::vector<std::unique_ptr<Backend>> backends, PoolOptions options,
                 Observer* observer, std::size_t first_member)
    : worker_(worker),
      options_(std::move(options)),
      observer_(observer),
      members_(worker, std::move(backends), options_, observer),
      first_member_(first_member) {
  options_.chain.standing_changed = [this, told = std::move(options_.chain.standing_changed)] {
    chains_changed();
    if (told) told();
  };
  worker_.run([this] {
    if (worker_.stopping()) return;
    worker_.attach(*this);
    members_.begin();
  });
}

Pool::Impl::~Impl() {
  worker_.run([this] {
    worker_.detach(*this);
    end("the pool is going away");
    members_.destroy_backends();
  });
}

void Pool::Impl::retire(Executor::Task idle) {
  if (flights_.empty()) {
    worker_.post(std::move(idle));
  } else {
    idle_ = std::move(idle);
  }
}

void Pool::Impl::end(const char* why) {
  members_.end();
  // Taken out first: `done` may call this object again.
  for (const FlightPtr& flight : std::exchange(flights_, {})) {
    finish(flight, std::unexpected(Failure{
                       .kind = FailureKind::shutdown, .message = why, .sent = flight->in_flight > 0}));
  }
}

void Pool::Impl::call(std::string body, CallOptions options, Done done) {
  FANFARE_CHECK(worker_.on_thread());
  auto flight = std::make_shared<Flight>();
  flight->body = std::move(body);
  flight->serial = ++serial_;
  flight->begun = worker_.now();
  flight->deadline = flight->begun + options.timeout.value_or(options_.timeout);
  flight->options = std::move(options);
  flight->done = std::move(done);
  flight->tried.resize(members_.size(), flight->options.member.has_value());
  if (flight->options.member) flight->tried.at(*flight->options.member) = false;
  flight->behind.resize(members_.size());
  if (flight->options.head_min > 0 && members_.is_gone(flight->options.head_min)) give_way(*flight);
  defer_some(*flight);
  flights_.insert(flight);
  hedges_saved_ = std::min(hedges_saved_ + kHedgeShare, kHedgesSavedMax);
  next(flight);
}

// Members that gave useless answers to the same call before come last.
void Pool::Impl::defer_some(Flight& flight) const {
  flight.deferred.resize(members_.size());
  const std::size_t available = members_.available();
  if (available < 2) return;
  for (std::size_t left = flight.options.attempt % available; left > 0; --left) {
    const auto member = members_.choose(flight.tried, /*only_available=*/true, head_wanted(flight));
    if (!member) return;
    flight.tried[*member] = flight.deferred[*member] = true;
  }
}

void Pool::Impl::next(const FlightPtr& flight) {
  auto member = members_.choose(flight->tried, /*only_available=*/false, head_wanted(*flight));
  if (!member && any_of(flight->deferred)) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (flight->deferred[i]) flight->tried[i] = flight->deferred[i] = false;
    }
    member = members_.choose(flight->tried, /*only_available=*/false, head_wanted(*flight));
  }
  // A call that another member can answer does not wait for a member that is put aside.
  const bool is_aside = member && !members_.is_available(*member);
  if (is_aside && flight->in_flight == 0 && chain_went_back(*flight)) return exhausted(flight);
  if (member) {
    attempt(flight, *member);
  } else if (flight->in_flight == 0) {
    exhausted(flight);
  }
}

void Pool::Impl::attempt(const FlightPtr& flight, std::size_t member) {
  if (observer_ != nullptr && flight->last_member && flight->last) {
    observer_->failed_over(members_.backend(*flight->last_member).name(), members_.backend(member).name());
  }
  flight->last_member = member;
  flight->tried[member] = true;
  ++flight->in_flight;
  if (!worker_.stopping() && members_.checks().must_verify(member, flight->options.repeat)) {
    check_chain(flight, member);
  } else {
    check_head(flight, member);
  }
}

// A call that must not be repeated is sent only after a check that began after the call.
void Pool::Impl::check_chain(const FlightPtr& flight, std::size_t member) {
  arm_deadline(flight, kNoChainInTime);
  const bool fresh = flight->options.repeat != Repeat::always;
  flight->waits_for_check_of = member;
  const std::uint64_t serial = ++flight->wait_serial;
  members_.checks().verify(member, fresh, [this, flight, member, serial](const Failure* problem) {
    if (flight->over || serial != flight->wait_serial) return;
    flight->waits_for_check_of.reset();
    if (problem != nullptr) {
      attempt_failed(flight, member, *problem);
    } else {
      check_head(flight, member);
    }
  });
}

void Pool::Impl::arm_deadline(const FlightPtr& flight, std::string why) {
  worker_.cancel(flight->timer);
  flight->timer = worker_.call_at(flight->deadline, [this, flight, why = std::move(why)]() mutable {
    finish(flight, std::unexpected(Failure{.kind = FailureKind::timeout, .message = std::move(why)}));
  });
}

// A call that waits for a hanging node moves to a member that has become ready meanwhile.
void Pool::Impl::chains_changed() {
  members_.forget_gone();
  std::vector<FlightPtr> waiting;
  for (const FlightPtr& flight : flights_) {
    if (flight->waits_for_check_of) waiting.push_back(flight);
  }
  std::ranges::sort(waiting, {}, [](const FlightPtr& flight) { return flight->serial; });
  for (const FlightPtr& flight : waiting) {
    const std::size_t member = *flight->waits_for_check_of;
    const bool was_right = members_.checks().standing(member) == ChainChecks::Standing::right;
    if (was_right || !members_.choose(flight->tried, /*only_available=*/true)) continue;
    ++flight->wait_serial;
    flight->waits_for_check_of.reset();
    flight->tried[member] = false;
    --flight->in_flight;
    next(flight);
  }
}

void Pool::Impl::check_head(const FlightPtr& flight, std::size_t member) {
  if (flight->options.head_min <= members_.head(member) || worker_.stopping()) {
    send(flight, member);
    return;
  }
  // The head request may take longer than the call may.
  arm_deadline(flight, "no node said in time that it has block " + std::to_string(flight->options.head_min));
  // The pool does not guess whether a node has a block: it asks the node.
  members_.ask_head(member, [this, flight, member](const Failure* problem) {
    if (flight->over) return;
    if (flight->options.head_min <= members_.head(member)) {
      // Meanwhile the node may have been replaced.
      const bool verify = members_.checks().must_verify(member, flight->options.repeat);
      verify && !worker_.stopping() ? check_chain(flight, member) : send(flight, member);
    } else if (problem == nullptr && members_.head_asked_at(member) < flight->begun) {
      check_head(flight, member);  // that request was made for another call, before this one
    } else if (problem != nullptr) {
      Failure failure = *problem;
      failure.sent = false;  // the head request was sent, the call was not
      attempt_failed(flight, member, std::move(failure));
    } else {
      flight->behind[member] = true;
      attempt_failed(flight, member,
                     {.kind = FailureKind::behind,
                      .message = "the node does not have block " + std::to_string(flight->options.head_min)});
    }
  });
}

void Pool::Impl::send(const FlightPtr& flight, std::size_t member) {
  worker_.cancel(flight->timer);  // of the head request or the attempt before
  const Instant begun = worker_.now();
  CallOptions options = flight->options;
  Duration timeout = flight->deadline - begun;
  const bool others_left =
      members_.choose(flight->tried, /*only_available=*/true).has_value() || any_of(flight->deferred);
  if (others_left && options.repeat == Repeat::always) timeout = std::min(timeout, options_.attempt_timeout);
  options.timeout = timeout;
  options.deadline = flight->deadline;
  options.queue_time = std::make_shared<QueueTime>();
  options.queue_time->of_whole = flight->options.queue_time;
  auto queue_time = options.queue_time;
  if (options.traced != nullptr) {
    options.attempt_record =
        std::make_shared<trace::Attempt>(options.traced, members_.backend(member).name(), options.method);
  }
  if (others_left) arm_hedge(flight, queue_time);
  std::string body = members_.size() > 1 ? flight->body : std::move(flight->body);
  auto record = options.attempt_record;
  members_.backend(member).call(
      std::move(body), std::move(options),
      [this, flight, member, begun, queue_time, record = std::move(record)](Result result) {
        if (record != nullptr) end_record(*record, *flight, result);
        ended(flight, member, std::max(begun, queue_time->left_at), std::move(result));
      });
}

void Pool::Impl::arm_hedge(const FlightPtr& flight, const QueueTimePtr& queue_time) {
  // One hedge per call: only a first attempt sets the timer.
  if (!options_.hedge_after || flight->options.repeat != Repeat::always || flight->in_flight > 1) return;
  hedge_at(worker_.now() + *options_.hedge_after, flight, queue_time);
}

// Time in the gateway's queue is not the node's: hedge_after starts when the call leaves the queue.
void Pool::Impl::hedge_at(Instant when, const FlightPtr& flight, const QueueTimePtr& queue_time) {
  flight->timer = worker_.call_at(when, [this, flight, queue_time] {
    if (flight->over || flight->in_flight != 1) return;
    const Instant now = worker_.now();
    const Instant due = (queue_time->waiting ? now : queue_time->left_at) + *options_.hedge_after;
    if (due > now) return hedge_at(due, flight, queue_time);
    if (hedges_saved_ < 1) return;
    const auto member = members_.choose(flight->tried, /*only_available=*/true, head_wanted(*flight));
    if (!member) return;
    hedges_saved_ -= 1;
    attempt(flight, *member);
  });
}

Pool::Pool(Executor& worker, std::vector<std::unique_ptr<Backend>> members, PoolOptions options,
           Observer* observer)
    : worker_(worker),
      name_(options.name),
      impl_(std::make_unique<Impl>(worker, std::move(members), std::move(options), observer, 0)) {}

// On the worker: its tasks look whether the pool still exists.
Pool::~Pool() {
  worker_.run([this] {
    alive_.reset();
    impl_.reset();
    retired_.clear();
  });
}

void Pool::replace(std::vector<std::unique_ptr<Backend>> members, PoolOptions options, Observer* observer) {
  FANFARE_CHECK(worker_.on_thread());
  retire();
  impl_ = std::make_unique<Impl>(worker_, std::move(members), std::move(options), observer, first_member_);
}

void Pool::clear() {
  FANFARE_CHECK(worker_.on_thread());
  retire();
}

void Pool::retire() {
  if (impl_ == nullptr) return;
  first_member_ += impl_->members().size();
  Impl& before = *retired_.emplace_back(std::move(impl_));
  before.retire([this, alive = std::weak_ptr(alive_), &before] {
    if (alive.expired()) return;
    std::erase_if(retired_, [&](const auto& one) { return one.get() == &before; });
  });
}

std::optional<std::size_t> Pool::index_of(std::size_t member) const {
  if (impl_ == nullptr || member < first_member_) return std::nullopt;
  const std::size_t index = member - first_member_;
  if (index >= impl_->members().size()) return std::nullopt;
  return index;
}

void Pool::call(std::string body, CallOptions options, Done done) {
  FANFARE_CHECK(worker_.on_thread());
  if (options.member) {
    options.member = index_of(*options.member);
    if (!options.member) return refuse(std::move(done), "the node was removed");
  }
  if (impl_ == nullptr) return refuse(std::move(done), "this network was removed");
  impl_->call(std::move(body), std::move(options), std::move(done));
}

// In the next turn, because `done` never runs inside call().
void Pool::refuse(Done done, const char* why) {
  worker_.post([done = std::move(done), why]() mutable {
    done(std::unexpected(Failure{.kind = FailureKind::closed, .message = why, .sent = false}));
  });
}

std::string_view Pool::name() const {
  return name_;
}
void Pool::head_seen(std::size_t member, std::uint64_t number) {
  if (const auto index = index_of(member)) impl_->members().head_seen(*index, number);
}
void Pool::block_seen(std::size_t member, std::uint64_t number) {
  if (const auto index = index_of(member)) impl_->members().block_seen(*index, number);
}
void Pool::head_stalled(std::uint64_t number, UniqueFunction<void()> found_better) {
  if (impl_ != nullptr) impl_->members().head_stalled(number, std::move(found_better));
}
void Pool::disagreed(std::size_t member) {
  if (const auto index = index_of(member)) impl_->members().disagreed(*index);
}
bool Pool::checks_chains() const {
  return impl_ != nullptr && impl_->members().checks().enabled();
}
bool Pool::is_trusted(std::size_t member) const {
  const auto index = index_of(member);
  return index && impl_->members().is_enabled(*index) &&
         impl_->members().checks().standing(*index) == ChainChecks::Standing::right;
}
void Pool::verify(std::size_t member, ChainChecks::Then then) {
  if (const auto index = index_of(member)) {
    return impl_->members().checks().verify(*index, /*fresh=*/true, std::move(then));
  }
  worker_.post([alive = std::weak_ptr(alive_), then = std::move(then)]() mutable {
    static const Failure kRemoved{.kind = FailureKind::closed, .message = "the node was removed"};
    if (!alive.expired()) then(&kRemoved);
  });
}
std::size_t Pool::size() const {
  return impl_ == nullptr ? 0 : impl_->members().size();
}
void Pool::set_enabled(std::size_t index, bool enabled) {
  if (impl_ != nullptr && index < impl_->members().size()) impl_->members().set_enabled(index, enabled);
}
std::vector<MemberStatus> Pool::status() const {
  return impl_ == nullptr ? std::vector<MemberStatus>() : impl_->members().status();
}
std::size_t Pool::available() const {
  return impl_ == nullptr ? 0 : impl_->members().available();
}

}  // namespace fanfare::upstream
