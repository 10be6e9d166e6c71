#include "upstream/pool.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "upstream/pool_members.h"

namespace fanfare::upstream {
namespace {

// The budget for hedges: what a call adds to it, and how much it holds at most.
constexpr double kHedgeShare = 0.1;
constexpr double kHedgesSavedMax = 10;

// Whether another member might do better with the same call.
bool worth_another_try(const Failure& failure) {
  return blames_endpoint(failure) || failure.kind == FailureKind::overloaded ||
         failure.kind == FailureKind::behind;
}

}  // namespace

class Pool::Impl final : Executor::StopListener {
 public:
  Impl(Executor& worker, std::vector<std::unique_ptr<Backend>> backends, PoolOptions options,
       Observer* observer);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void call(std::string body, CallOptions options, Done done);
  PoolMembers& members() { return members_; }
  std::string_view name() const { return options_.name; }

 private:
  // One call on its way through the members. Lives until done() was called and the last attempt has ended.
  struct Flight {
    std::string body;
    CallOptions options;
    Done done;
    Instant deadline{};
    std::vector<bool> tried;
    std::vector<bool> deferred;  // counted as tried until the others have been
    std::vector<bool> behind;    // tried, and did not have the block
    std::size_t in_flight = 0;
    std::optional<Failure> last;
    std::optional<std::size_t> last_member;
    TimerId timer;  // the hedge, the next look at the members, or the end of a question for the head
    bool over = false;
  };
  using FlightPtr = std::shared_ptr<Flight>;

  std::uint64_t head_wanted(const Flight& flight) const {
    return std::max(flight.options.head_min, flight.options.head_preferred);
  }
  void defer_some(Flight& flight) const;
  void next(const FlightPtr& flight);
  void attempt(const FlightPtr& flight, std::size_t member);
  void send(const FlightPtr& flight, std::size_t member);
  void arm_hedge(const FlightPtr& flight);
  void ended(const FlightPtr& flight, std::size_t member, Instant begun, Result result);
  void attempt_failed(const FlightPtr& flight, std::size_t member, Failure failure);
  void exhausted(const FlightPtr& flight);
  void finish(const FlightPtr& flight, Result result);

  void end(const char* why);
  void worker_stopping() override { end("the worker is stopping"); }

  Executor& worker_;
  PoolOptions options_;
  Observer* observer_;
  PoolMembers members_;
  std::unordered_set<FlightPtr> flights_;
  double hedges_saved_ = kHedgesSavedMax;
};

Pool::Impl::Impl(Executor& worker, std::vector<std::unique_ptr<Backend>> backends, PoolOptions options,
                 Observer* observer)
    : worker_(worker),
      options_(std::move(options)),
      observer_(observer),
      members_(worker, std::move(backends), options_, observer) {
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

void Pool::Impl::end(const char* why) {
  members_.end();
  // Taken out first: what `done` does may call us again.
  for (const FlightPtr& flight : std::exchange(flights_, {})) {
    finish(flight, std::unexpected(Failure{
                       .kind = FailureKind::shutdown, .message = why, .sent = flight->in_flight > 0}));
  }
}

void Pool::Impl::call(std::string body, CallOptions options, Done done) {
  FANFARE_CHECK(worker_.on_thread());
  auto flight = std::make_shared<Flight>();
  flight->body = std::move(body);
  flight->deadline = worker_.now() + options.timeout.value_or(options_.timeout);
  flight->options = std::move(options);
  flight->done = std::move(done);
  flight->tried.resize(members_.size(), flight->options.member.has_value());
  if (flight->options.member) flight->tried.at(*flight->options.member) = false;
  flight->behind.resize(members_.size());
  defer_some(*flight);
  flights_.insert(flight);
  hedges_saved_ = std::min(hedges_saved_ + kHedgeShare, kHedgesSavedMax);
  next(flight);
}

// The members that answered the same question before, without use, come last.
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
  if (!member && std::ranges::find(flight->deferred, true) != flight->deferred.end()) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (flight->deferred[i]) flight->tried[i] = flight->deferred[i] = false;
    }
    member = members_.choose(flight->tried, /*only_available=*/false, head_wanted(*flight));
  }
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
  if (flight->options.head_min <= members_.head(member) || worker_.stopping()) {
    send(flight, member);
    return;
  }
  // The question may take longer than the call has.
  worker_.cancel(flight->timer);
  flight->timer = worker_.call_at(flight->deadline, [this, flight] {
    finish(flight, std::unexpected(Failure{.kind = FailureKind::timeout,
                                           .message = "no node said in time that it has block " +
                                                      std::to_string(flight->options.head_min)}));
  });
  // A node is never believed to have a block: it is asked.
  members_.ask_head(member, [this, flight, member] {
    if (flight->over) return;
    if (flight->options.head_min <= members_.head(member)) {
      send(flight, member);
      return;
    }
    flight->behind[member] = true;
    attempt_failed(flight, member,
                   {.kind = FailureKind::behind,
                    .message = "no node has block " + std::to_string(flight->options.head_min)});
  });
}

void Pool::Impl::send(const FlightPtr& flight, std::size_t member) {
  worker_.cancel(flight->timer);  // of the question before, or of the attempt before
  const Instant begun = worker_.now();
  CallOptions options = flight->options;
  Duration timeout = flight->deadline - begun;
  const bool others_left = members_.choose(flight->tried, /*only_available=*/true).has_value() ||
                           std::ranges::find(flight->deferred, true) != flight->deferred.end();
  if (others_left && options.repeat == Repeat::always) timeout = std::min(timeout, options_.attempt_timeout);
  options.timeout = timeout;
  if (others_left) arm_hedge(flight);
  std::string body = members_.size() > 1 ? flight->body : std::move(flight->body);
  members_.backend(member).call(
      std::move(body), std::move(options),
      [this, flight, member, begun](Result result) { ended(flight, member, begun, std::move(result)); });
}

void Pool::Impl::arm_hedge(const FlightPtr& flight) {
  // One hedge a call: the timer of a first attempt only.
  if (!options_.hedge_after || flight->options.repeat != Repeat::always || flight->in_flight > 1) return;
  flight->timer = worker_.call_after(*options_.hedge_after, [this, flight] {
    if (flight->over || flight->in_flight != 1 || hedges_saved_ < 1) return;
    const auto member = members_.choose(flight->tried, /*only_available=*/true, head_wanted(*flight));
    if (!member) return;
    hedges_saved_ -= 1;
    attempt(flight, *member);
  });
}

void Pool::Impl::ended(const FlightPtr& flight, std::size_t member, Instant begun, Result result) {
  members_.note(member, begun, result);
  if (flight->over) return;
  if (!result) {
    attempt_failed(flight, member, std::move(result.error()));
    return;
  }
  result->member = member;
  finish(flight, std::move(result));
}

void Pool::Impl::attempt_failed(const FlightPtr& flight, std::size_t member, Failure failure) {
  --flight->in_flight;
  const bool safe = !failure.sent || flight->options.repeat == Repeat::always;
  if (!safe || !worth_another_try(failure)) {
    finish(flight, std::unexpected(std::move(failure)));
    return;
  }
  flight->last = std::move(failure);
  flight->last_member = member;
  if (worker_.now() >= flight->deadline) {
    // Whoever still has it may yet answer; nobody new is asked.
    if (flight->in_flight == 0) finish(flight, std::unexpected(*flight->last));
    return;
  }
  next(flight);
}

// Every member was tried. Those that merely did not have the block yet will have it soon.
void Pool::Impl::exhausted(const FlightPtr& flight) {
  const bool wait = std::ranges::find(flight->behind, true) != flight->behind.end() &&
                    worker_.now() + options_.behind_retry < flight->deadline;
  if (!wait) {
    finish(flight, std::unexpected(*flight->last));
    return;
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (flight->behind[i]) flight->tried[i] = flight->behind[i] = false;
  }
  worker_.cancel(flight->timer);
  flight->timer = worker_.call_after(options_.behind_retry, [this, flight] { next(flight); });
}

void Pool::Impl::finish(const FlightPtr& flight, Result result) {
  flight->over = true;
  worker_.cancel(flight->timer);
  Done done = std::move(flight->done);
  flights_.erase(FlightPtr(flight));
  done(std::move(result));  // last: it may end us
}

Pool::Pool(Executor& worker, std::vector<std::unique_ptr<Backend>> members, PoolOptions options,
           Observer* observer)
    : impl_(std::make_unique<Impl>(worker, std::move(members), std::move(options), observer)) {}
Pool::~Pool() = default;

void Pool::call(std::string body, CallOptions options, Done done) {
  impl_->call(std::move(body), std::move(options), std::move(done));
}
std::string_view Pool::name() const {
  return impl_->name();
}
void Pool::head_seen(std::size_t member, std::uint64_t number) {
  impl_->members().head_seen(member, number);
}
void Pool::block_seen(std::size_t member, std::uint64_t number) {
  impl_->members().block_seen(member, number);
}
void Pool::head_stalled(std::uint64_t number, UniqueFunction<void()> found_better) {
  impl_->members().head_stalled(number, std::move(found_better));
}
void Pool::disagreed(std::size_t member) {
  impl_->members().disagreed(member);
}
std::size_t Pool::size() const {
  return impl_->members().size();
}
std::vector<MemberStatus> Pool::status() const {
  return impl_->members().status();
}
std::size_t Pool::available() const {
  return impl_->members().available();
}

}  // namespace fanfare::upstream
