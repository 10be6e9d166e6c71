// In place of src/relay/link.cc, jet_stream.cc and bucket.cc: the same functions, on the simulated broker.

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "fleet_broker.h"
#include "fleet_world.h"
#include "relay/bucket.h"
#include "relay/jet_stream.h"
#include "relay/link.h"

namespace fanfare::relay {
namespace {

using fleet::ConnectionPtr;
using fleet::ProcessPtr;
using fleet::world;
using namespace std::chrono_literals;

constexpr Duration kRequestTimeout = 2s;
constexpr std::uint64_t kGivesUp = 8;  // the library, after one lost connection of so many
constexpr std::size_t kPayloadBytesMax = std::size_t{1} << 20;

}  // namespace

// --- the connection ------------------------------------------------------------------------------------

struct Link::Parts {
  bool connect() {
    if (is_closed || connection != nullptr) return false;
    connection = world().broker->connect(process);
    if (connection == nullptr) {
      events.on_problem({.kind = LinkProblem::Kind::unreachable, .words = "nobody answers"});
      return false;
    }
    connection->deliver = [this](Incoming message, const std::string& subject) {
      take(std::move(message), subject);
    };
    connection->lost = [this] { lose(); };
    for (const std::string& subject : subscribed) tell_subscribed(subject);
    events.on_connection(true);
    return true;
  }
  // As the library does it, once there was a connection.
  void reconnect() {
    if (!is_closed && connection == nullptr && !connect()) plan_attempt(reconnect_wait);
  }
  void plan_attempt(Duration wait) {
    fleet::call_in(process, world().time.now() + world().between(wait / 2, wait * 2),
                   [weak = std::weak_ptr(self)] {
                     if (const auto there = weak.lock()) (*there)->reconnect();
                   });
  }
  void lose() {
    world().broker->close(std::exchange(connection, nullptr));
    events.on_connection(false);
    if (!world().one_in(kGivesUp)) return plan_attempt(reconnect_wait);
    subscribed.clear();
    events.on_closed();
  }
  void take(Incoming message, const std::string& subject) {
    const std::string_view end = std::string_view(subject).substr(inbox.size());
    const bool is_known = end.starts_with("a.") || end.starts_with("r.") || subscribed.contains(subject);
    if (!is_known) return;
    // A stream's message to a consumer shows the stream's subject.
    if (message.subject.empty() || message.sequence != 0) message.to = end;
    events.on_message(std::move(message));
  }
  void tell_subscribed(const std::string& subject) {
    connection->up->send([at = connection, subject] { at->subjects.insert(subject); });
  }
  // Waits for the broker, while everything else goes on. `at_broker` says whether it has answered.
  bool ask(std::function<bool(const ConnectionPtr&)> at_broker) {
    if (connection == nullptr) return false;
    const auto has_answer = std::make_shared<bool>(false);
    const ConnectionPtr asked = connection;
    asked->up->send([asked, has_answer, at_broker = std::move(at_broker)] {
      if (!asked->is_open || !world().broker->is_up() || !at_broker(asked)) return;
      asked->down->send([has_answer] { *has_answer = true; });
    });
    const Instant until = world().time.now() + kRequestTimeout;
    while (!*has_answer && !is_closed && process->is_alive && !world().has_failed() &&
           world().time.run_one(until)) {
    }
    // The library has no answer either when the connection was lost meanwhile.
    return *has_answer && connection == asked;
  }

  LinkEvents events;
  ProcessPtr process = fleet::Inside::current();
  ConnectionPtr connection;
  std::string inbox;
  std::set<std::string> subscribed;
  Duration reconnect_wait{};
  bool is_closed = false;
  std::shared_ptr<Parts*> self = std::make_shared<Parts*>(this);  // what is under way reaches it through
};

Link::Link() : parts_(std::make_unique<Parts>()) {
  inbox_ = fleet::line("_INBOX.", parts_->process->number, ".");
  parts_->inbox = inbox_;
}

Link::~Link() {
  close();
}

std::expected<void, std::string> Link::open(const NatsOptions& options, LinkEvents events) {
  parts_->events = std::move(events);
  parts_->reconnect_wait = options.reconnect_wait;
  return {};
}

bool Link::connect() {
  return parts_->connect();
}

// Whoever asks sees it, and no event comes any more: there is one thread.
void Link::cut() {
  close();
}

void Link::close() {
  if (std::exchange(parts_->is_closed, true)) return;
  if (parts_->connection != nullptr) world().broker->close(std::exchange(parts_->connection, nullptr));
}

bool Link::is_connected() const {
  return parts_->connection != nullptr;
}

Subscribed Link::subscribe(const std::string& end) {
  return subscribe_to(inbox_ + end);
}

Subscribed Link::subscribe_to(const std::string& subject) {
  struct Entry {
    std::weak_ptr<Parts*> link;
    std::string subject;
  };
  auto* const made = new Entry{.link = parts_->self, .subject = subject};
  parts_->subscribed.insert(made->subject);
  if (parts_->connection != nullptr) parts_->tell_subscribed(made->subject);
  return {made, [](void* entry) {
            const std::unique_ptr<Entry> ended(static_cast<Entry*>(entry));
            const auto link = ended->link.lock();
            if (link == nullptr) return;
            Parts& parts = **link;
            parts.subscribed.erase(ended->subject);
            if (parts.connection == nullptr) return;
            parts.connection->up->send([at = parts.connection, subject = ended->subject] {
              world().broker->unsubscribed(at, subject);
            });
          }};
}

bool Link::publish(const std::string& subject, const std::string& reply, Bytes payload,
                   const std::vector<Header>& headers) {
  if (parts_->connection == nullptr) return false;
  std::map<std::string, std::string> named;
  for (const Header& header : headers) named[header.name] = header.value;
  parts_->connection->up->send(
      [at = parts_->connection, subject, reply, bytes = SharedBytes(payload), named = std::move(named)] {
        if (at->is_open && world().broker->is_up()) world().broker->publish(at, subject, reply, bytes, named);
      });
  return true;
}

std::uint64_t Link::connection_number() const {
  return parts_->connection == nullptr ? 0 : parts_->connection->number;
}

std::size_t Link::payload_bytes_max() const {
  return kPayloadBytesMax;
}

// Of what the broker permits and takes, nothing changes here.
void Link::want_larger_payloads() {}

bool Link::lacks_subscriptions() const {
  return false;
}

std::optional<std::string> Link::look(Instant /*now*/) {
  return std::nullopt;
}

// --- streams and consumers -----------------------------------------------------------------------------

namespace {

// Empty: there is none. False: it does not answer.
bool read_state(const std::string& stream, std::optional<StreamState>& state) {
  const auto* const found = world().broker->find(stream);
  if (found != nullptr && found->away_until > world().time.now()) return false;
  state = found == nullptr ? std::optional<StreamState>() : found->state();
  return true;
}

}  // namespace

void JetStream::keep_at_least(std::uint64_t messages, std::uint64_t bytes) {
  messages_kept_ = std::max(messages_kept_.load(), messages);
  bytes_kept_ = std::max(bytes_kept_.load(), bytes);
}

std::expected<std::optional<StreamState>, std::string> JetStream::find(const StreamAddress& address) {
  const auto state = std::make_shared<std::optional<StreamState>>();
  const bool answered = link_.parts().ask(
      [state, stream = address.stream()](const ConnectionPtr&) { return read_state(stream, *state); });
  if (!answered) return std::unexpected("no answer");
  if (*state) known_.seen(address.stream());
  return *state;
}

std::expected<bool, std::string> JetStream::has(const StreamAddress& address, std::uint64_t sequence) {
  const auto state = find(address);
  if (!state) return std::unexpected(state.error());
  return *state && sequence >= (*state)->first && sequence <= (*state)->last;
}

// Nobody deletes events here.
std::expected<std::vector<std::uint64_t>, std::string> JetStream::deleted(const StreamAddress& /*address*/) {
  return std::vector<std::uint64_t>();
}

std::expected<StreamState, std::string> JetStream::create(const StreamAddress& address, std::uint64_t epoch) {
  const auto state = std::make_shared<std::optional<StreamState>>();
  const std::string subject = joined({address.name, ".", address.token, ".", std::to_string(epoch)});
  const std::uint64_t kept_max = std::max(options_.limits.messages_max, messages_kept_.load());
  const bool answered =
      link_.parts().ask([state, stream = address.stream(), subject, kept_max](const ConnectionPtr&) {
        if (!world().broker->create(stream, subject, kept_max)) return true;
        return read_state(stream, *state);
      });
  if (!answered || !*state) return std::unexpected("it exists");
  return **state;
}

std::expected<StreamState, std::string> JetStream::open(const StreamAddress& address,
                                                        std::uint64_t new_epoch) {
  auto found = find(address);
  if (!found) return std::unexpected(std::move(found.error()));
  if (*found) return **found;
  if (!known_.may_create(address.stream(), system_clock().now()))
    return std::unexpected(joined({"stream ", address.stream(), ": ", KnownStreams::kIsGone}));
  if (auto created = create(address, new_epoch)) return created;
  found = find(address);
  if (!found) return std::unexpected(std::move(found.error()));
  if (*found) return **found;
  return create(address, new_epoch);
}

std::expected<StreamState, std::string> JetStream::change_epoch(const StreamAddress& address,
                                                                std::uint64_t from, std::uint64_t to) {
  const auto state = std::make_shared<std::optional<StreamState>>();
  const std::string stream = address.stream();
  const bool has_state =
      link_.parts().ask([state, stream](const ConnectionPtr&) { return read_state(stream, *state); });
  if (!has_state || !*state) return std::unexpected("no answer");
  if ((*state)->epoch != from) return **state;
  const std::string subject = joined({address.name, ".", address.token, ".", std::to_string(to)});
  const bool has_changed = link_.parts().ask([state, stream, subject](const ConnectionPtr&) {
    auto* const changed = world().broker->find(stream);
    if (changed == nullptr || changed->away_until > world().time.now()) return false;
    world().broker->set_subject(*changed, subject);
    return read_state(stream, *state);
  });
  if (!has_changed || !*state) return std::unexpected("no answer");
  return **state;
}

std::expected<std::string, std::string> JetStream::consume(const StreamAddress& address, std::uint64_t from,
                                                           const std::string& deliver_to) {
  const auto name = std::make_shared<std::optional<std::string>>();
  const bool answered = link_.parts().ask(
      [=, stream = address.stream(), heartbeat = options_.heartbeat](const ConnectionPtr& connection) {
        std::optional<StreamState> state;
        if (!read_state(stream, state)) return false;
        *name = world().broker->consume(connection, stream, from, deliver_to, heartbeat);
        return true;
      });
  if (!answered || !*name) return std::unexpected("no consumer");
  return **name;
}

// --- the bucket of the leases --------------------------------------------------------------------------

struct Bucket::Parts {};

Bucket::Bucket(Link& link, std::string name, const NatsOptions& options)
    : link_(link), name_(std::move(name)), options_(options) {}
Bucket::~Bucket() = default;

// There always is one.
std::expected<void, std::string> Bucket::open() {
  return {};
}

std::expected<std::optional<Bucket::Entry>, std::string> Bucket::get(const std::string& key) {
  const auto entry = std::make_shared<std::optional<Entry>>();
  const bool answered = link_.parts().ask([entry, key](const ConnectionPtr&) {
    *entry = world().broker->get(key);
    return true;
  });
  if (!answered) return std::unexpected("no answer");
  return *entry;
}

std::expected<std::uint64_t, std::string> Bucket::put(const std::string& key, const std::string& value,
                                                      std::uint64_t after) {
  const auto revision = std::make_shared<std::optional<std::uint64_t>>();
  const bool answered = link_.parts().ask([=](const ConnectionPtr&) {
    *revision = world().broker->put(key, value, after);
    return true;
  });
  if (!answered || !*revision) return std::unexpected(std::string());
  return **revision;
}

void Bucket::put_blindly(const std::string& key, std::string_view value, std::uint64_t after) {
  link_.publish(joined({"$KV.", name_, ".", key}), {}, as_bytes(value),
                {{.name = "Nats-Expected-Last-Subject-Sequence", .value = std::to_string(after)}});
}

}  // namespace fanfare::relay
