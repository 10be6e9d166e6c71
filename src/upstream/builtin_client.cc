#include "upstream/builtin_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/guard.h"
#include "http/url.h"
#include "session/dial_race.h"
#include "session/resolver.h"
#include "upstream/builtin_request.h"
#include "upstream/http_link.h"

namespace fanfare::upstream {
namespace {

// A node usually closes a connection that idles sooner. Curl's value.
constexpr Duration kIdleMax = std::chrono::seconds(118);
// How long the addresses of a name are used for further connections.
constexpr Duration kAddressesKept = std::chrono::seconds(60);

FailureKind kind_of(session::ClientFailure failure) {
  using session::ClientFailure;
  switch (failure) {
    case ClientFailure::unresolvable:
      return FailureKind::resolve;
    case ClientFailure::timed_out:
      return FailureKind::timeout;
    case ClientFailure::tls_failed:
      return FailureKind::tls;
    case ClientFailure::connection_lost:
      return FailureKind::closed;
    case ClientFailure::bad_url:
    case ClientFailure::bad_option:
    case ClientFailure::connect_failed:
    case ClientFailure::proxy_refused:
    case ClientFailure::rejected:
    case ClientFailure::rule_broken:
    case ClientFailure::cancelled:
      return FailureKind::connect;
  }
  return FailureKind::connect;
}

class BuiltinClient final : public HttpClient, HttpLinkOwner {
 public:
  BuiltinClient(Worker& worker, const HttpOptions& options, http::Url url,
                std::shared_ptr<const HttpLinkPlan> plan, Owner& owner);
  ~BuiltinClient() override { FANFARE_CHECK(running_.empty() && idle_.empty()); }
  BuiltinClient(const BuiltinClient&) = delete;
  BuiltinClient& operator=(const BuiltinClient&) = delete;

  std::unique_ptr<HttpExchange> make_exchange() override { return std::make_unique<Call>(); }
  void start(HttpExchange& exchange) override;
  void abandon(HttpExchange& exchange) override;
  void close() override;

 private:
  struct Call final : HttpExchange {
    HttpLink* link = nullptr;                 // that is being secured for it, or carries it
    std::unique_ptr<session::DialRace> race;  // while TCP connects
    bool waits_for_addresses = false;
    bool is_sent = false;
    Instant connect_by{};   // while there is no ready link; otherwise Instant::max()
    std::size_t place = 0;  // in running_
    std::uint64_t serial = 0;

    Instant due() const { return std::min(deadline, connect_by); }
  };

  bool link_connected(HttpLink& link) override;
  void link_ready(HttpLink& link) override;
  void link_answered(HttpLink& link, HttpExchange& exchange, HttpOutcome outcome) override;
  void link_ended(HttpLink& link, HttpExchange* exchange, LinkEnd end) override;

  HttpLink* take_idle();
  void send(Call& call, HttpLink& link);
  void connect(Call& call);
  void resolve();
  void resolved(session::Resolver::Result result);
  void race(Call& call);
  void keep(HttpLink& link);
  void drop_old_links();
  void drop_idle_links() {
    for (HttpLink* link : std::exchange(idle_, {})) link->close();
  }
  // Ends a call that has no link any more; in the next turn if it is being started.
  void fail(Call& call, Failure failure);
  void settle(Call& call, HttpOutcome outcome);
  void forget(Call& call);
  void watch(Instant due);
  void check_time();
  void time_out(Call& call, Instant now);
  net::Loop& loop() { return worker_.loop(); }

  Worker& worker_;
  const HttpOptions& options_;
  Owner& owner_;
  const http::Url url_;
  const std::shared_ptr<const HttpLinkPlan> plan_;
  std::vector<Call*> running_;
  std::vector<HttpLink*> idle_;  // the last one was used last
  std::vector<net::Address> addresses_;
  bool is_numeric_ = false;
  Instant addresses_until_{};
  session::Resolver resolver_;
  session::Resolver::PendingLookup lookup_;
  bool looks_up_ = false;
  const Call* starting_ = nullptr;
  std::uint64_t serial_ = 0;
  Instant timer_due_ = Instant::max();
  TimerId timer_{};
  std::shared_ptr<BuiltinClient*> self_ = std::make_shared<BuiltinClient*>(this);  // checked by posted tasks
};

BuiltinClient::BuiltinClient(Worker& worker, const HttpOptions& options, http::Url url,
                             std::shared_ptr<const HttpLinkPlan> plan, Owner& owner)
    : worker_(worker), options_(options), owner_(owner), url_(std::move(url)), plan_(std::move(plan)) {
  if (auto address = net::Address::parse(url_.host, url_.port)) {
    is_numeric_ = true;
    addresses_.push_back(*address);
    // RFC6761§6.3: localhost is the loopback address of either family.
    if (url_.host == "localhost") addresses_.push_back(*net::Address::parse("::1", url_.port));
  }
}

// --- calls -----------------------------------------------------------------------------------------

void BuiltinClient::start(HttpExchange& exchange) {
  auto& call = static_cast<Call&>(exchange);
  call.place = running_.size();
  call.serial = ++serial_;
  call.is_sent = false;
  running_.push_back(&call);
  starting_ = &call;
  // A write gets a new connection: on a kept one that the node is closing, nobody could tell whether it was executed.
  if (call.needs_new_connection) drop_idle_links();
  HttpLink* const link = call.options.repeat == Repeat::always ? take_idle() : nullptr;
  if (link != nullptr) {
    send(call, *link);
  } else {
    connect(call);
  }
  starting_ = nullptr;
}

void BuiltinClient::send(Call& call, HttpLink& link) {
  call.connect_by = Instant::max();
  call.link = &link;
  call.is_sent = true;
  watch(call.due());
  link.send(call);
}

void BuiltinClient::abandon(HttpExchange& exchange) {
  auto& call = static_cast<Call&>(exchange);
  if (call.link != nullptr) call.link->close();
  forget(call);
}

void BuiltinClient::forget(Call& call) {
  call.link = nullptr;
  call.race.reset();
  call.waits_for_addresses = false;
  running_.back()->place = call.place;
  running_[call.place] = running_.back();
  running_.pop_back();
}

void BuiltinClient::close() {
  FANFARE_CHECK(running_.empty());
  drop_idle_links();
  lookup_.withdraw();
  looks_up_ = false;
  worker_.cancel(timer_);
  timer_due_ = Instant::max();
}

void BuiltinClient::fail(Call& call, Failure failure) {
  failure.sent = call.is_sent;
  if (starting_ != &call) return settle(call, {.failure = std::move(failure)});
  // The call may be over by then, and its exchange used for another one.
  worker_.post(
      [self = std::weak_ptr(self_), &call, serial = call.serial, failure = std::move(failure)]() mutable {
        const auto alive = self.lock();
        if (alive == nullptr) return;
        BuiltinClient& client = **alive;
        if (std::ranges::find(client.running_, &call) == client.running_.end() || call.serial != serial)
          return;
        client.settle(call, {.failure = std::move(failure)});
      });
}

void BuiltinClient::settle(Call& call, HttpOutcome outcome) {
  forget(call);
  // Last: it may destroy this. If its callback runs out of memory, only its call is lost.
  run_guarded("the worker", [&] { owner_.finished(call, std::move(outcome)); });
}

// --- connections -----------------------------------------------------------------------------------

HttpLink* BuiltinClient::take_idle() {
  drop_old_links();
  if (idle_.empty()) return nullptr;
  HttpLink* const link = idle_.back();
  idle_.pop_back();
  return link;
}

void BuiltinClient::keep(HttpLink& link) {
  link.idle_since = worker_.now();
  idle_.push_back(&link);
  drop_old_links();
}

void BuiltinClient::drop_old_links() {
  const Instant oldest = worker_.now() - kIdleMax;
  std::size_t old = 0;
  while (old < idle_.size() &&
         (idle_[old]->idle_since < oldest || idle_.size() - old > options_.connections_max)) {
    idle_[old++]->close();
  }
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(old));
}

void BuiltinClient::connect(Call& call) {
  call.link = nullptr;
  call.connect_by = worker_.now() + options_.connect_timeout;
  watch(call.due());
  if (is_numeric_ || (!addresses_.empty() && worker_.now() < addresses_until_)) return race(call);
  call.waits_for_addresses = true;
  resolve();
}

void BuiltinClient::resolve() {
  if (std::exchange(looks_up_, true)) return;
  lookup_ = resolver_.ask(loop(), url_.host, url_.port,
                          [this](session::Resolver::Result result) { resolved(std::move(result)); });
}

void BuiltinClient::resolved(session::Resolver::Result result) {
  looks_up_ = false;
  std::vector<Call*> waiting;
  std::ranges::copy_if(running_, std::back_inserter(waiting), &Call::waits_for_addresses);
  for (Call* call : waiting) call->waits_for_addresses = false;
  const std::string reason = result ? std::string() : std::move(result.error());
  const bool is_found = result.has_value();
  if (is_found) {
    addresses_ = *std::move(result);
    addresses_until_ = worker_.now() + kAddressesKept;
  }
  const std::weak_ptr self(self_);
  for (Call* call : waiting) {
    if (self.expired()) return;
    // Ended by the end of another one, or its exchange is used for a call that does not wait.
    if (std::ranges::find(running_, call) == running_.end() || call->waits_for_addresses ||
        call->link != nullptr || call->race != nullptr) {
      continue;
    }
    if (is_found) {
      race(*call);
    } else {
      fail(*call, {.kind = FailureKind::resolve, .message = reason});
    }
  }
}

void BuiltinClient::race(Call& call) {
  call.race = std::make_unique<session::DialRace>(
      loop(), addresses_, call.connect_by,
      [this](const net::Address& address,
             Duration) -> std::expected<session::DialAttempt*, session::ClientError> {
        auto link = HttpLink::dial(loop(), *this, plan_, address);
        if (!link) return std::unexpected(std::move(link.error()));
        return *link;
      },
      [this, &call](const session::ClientError& error) {
        // The race is on the stack.
        const auto over = std::move(call.race);
        addresses_until_ = {};
        fail(call, {.kind = kind_of(error.failure), .message = error.text});
      });
  call.race->start();
}

bool BuiltinClient::link_connected(HttpLink& link) {
  const auto found = std::ranges::find_if(
      running_, [&](const Call* call) { return call->race != nullptr && call->race->connected(link); });
  if (found == running_.end()) return false;
  (*found)->race.reset();
  (*found)->link = &link;
  return true;
}

void BuiltinClient::link_ready(HttpLink& link) {
  const auto found = std::ranges::find(running_, &link, &Call::link);
  FANFARE_CHECK(found != running_.end());
  send(**found, link);
}

void BuiltinClient::link_answered(HttpLink& link, HttpExchange& exchange, HttpOutcome outcome) {
  if (link.is_ready()) keep(link);
  settle(static_cast<Call&>(exchange), std::move(outcome));
}

void BuiltinClient::link_ended(HttpLink& link, HttpExchange* exchange, LinkEnd end) {
  Failure failure{.kind = end.kind, .http_status = link.status(), .message = std::move(end.why)};
  if (exchange == nullptr) {
    if (std::erase(idle_, &link) > 0) return;
    if (const auto secured = std::ranges::find(running_, &link, &Call::link); secured != running_.end()) {
      return fail(**secured, std::move(failure));
    }
    const session::ClientError error{.failure = session::ClientFailure::connect_failed,
                                     .text = failure.message,
                                     .was_connected = end.was_connected};
    const std::vector<Call*> racing = running_;
    for (Call* call : racing) {
      if (call->race != nullptr && call->race->failed(link, error)) return;  // the call may be over
    }
    return;
  }
  auto& call = static_cast<Call&>(*exchange);
  call.link = nullptr;
  // The node ended a kept connection as it was used again: a read has lost nothing, and starts again on a new one.
  if (end.was_stale && call.options.repeat == Repeat::always && !worker_.stopping()) {
    call.is_sent = false;
    return connect(call);
  }
  failure.sent = call.is_sent;
  settle(call, {.failure = std::move(failure), .status = link.status()});
}

// --- deadlines -------------------------------------------------------------------------------------

// One timer for all calls: it is set for the first that could be due, and is usually late for nobody.
void BuiltinClient::watch(Instant due) {
  if (due >= timer_due_) return;
  worker_.cancel(timer_);
  timer_due_ = due;
  timer_ = worker_.call_at(due, [this] {
    timer_due_ = Instant::max();
    check_time();
  });
}

void BuiltinClient::check_time() {
  const Instant now = worker_.now();
  Instant next = Instant::max();
  std::vector<Call*> due;
  for (Call* call : running_) {
    if (call->due() <= now) {
      due.push_back(call);
    } else {
      next = std::min(next, call->due());
    }
  }
  if (next != Instant::max()) watch(next);
  const std::weak_ptr self(self_);
  for (Call* call : due) {
    if (self.expired()) return;
    if (std::ranges::find(running_, call) != running_.end() && call->due() <= now) time_out(*call, now);
  }
}

void BuiltinClient::time_out(Call& call, Instant now) {
  const bool connects = !call.is_sent;
  std::string what = "no answer";
  if (connects) what = call.waits_for_addresses ? "no address of the host" : "no connection";
  const int status = call.link == nullptr ? 0 : call.link->status();
  if (call.link != nullptr) std::exchange(call.link, nullptr)->close();
  call.race.reset();
  if (connects) addresses_until_ = {};
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - call.begun);
  settle(call, {.failure = Failure{.kind = FailureKind::timeout,
                                   .http_status = status,
                                   .message = what + " within " + std::to_string(waited.count()) + " ms",
                                   .sent = call.is_sent},
                .status = status});
}

}  // namespace

std::expected<std::unique_ptr<HttpClient>, std::string> make_builtin_client(Worker& worker,
                                                                            const HttpOptions& options,
                                                                            HttpClient::Owner& owner) {
  FANFARE_CHECK(!beyond_builtin_client(options));
  auto url = *http::parse_url(options.url);
  HttpLinkPlan plan{.request_head = builtin_request_head(options, url),
                    .response_bytes_max = options.response_bytes_max};
  if (url.is_tls()) {
    auto context = net::TlsContext::client({.ca_file = options.ca_file});
    if (!context) return std::unexpected(context.error());
    plan.tls = *std::move(context);
    plan.tls_server_name = url.host;
  }
  return std::make_unique<BuiltinClient>(worker, options, std::move(url),
                                         std::make_shared<const HttpLinkPlan>(std::move(plan)), owner);
}

}  // namespace fanfare::upstream
