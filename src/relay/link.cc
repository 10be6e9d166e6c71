#include "relay/link.h"

#include <nats/nats.h>

#include <charconv>

#include "base/guard.h"
#include "base/random.h"
#include "base/text.h"
#include "relay/nats_parts.h"

namespace fanfare::relay {
namespace {

using OptionsHandle = Handle<natsOptions, natsOptions_Destroy>;
using StatisticsHandle = Handle<natsStatistics, natsStatistics_Destroy>;
using MessageHandle = Handle<natsMsg, natsMsg_Destroy>;

// What waits for the inbox's thread: more is dropped by the library, and the gap is found.
constexpr int kInboxMessagesMax = 65'536;
constexpr int kInboxBytesMax = 64 << 20;

std::string_view header_of(natsMsg* message, const char* name) {
  const char* value = nullptr;
  return natsMsgHeader_Get(message, name, &value) == NATS_OK && value != nullptr ? value : "";
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Bytes payload_of(natsMsg* message) {
  return as_bytes(
      std::string_view(natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))));
}

// A consumer delivers with the stream's subject, not with the inbox's: `to` is empty then, and the reply says whose it is.
Incoming incoming_of(natsMsg* message, std::string_view inbox) {
  Incoming made;
  const std::string_view subject = natsMsg_GetSubject(message);
  if (subject.starts_with(inbox)) made.to = subject.substr(inbox.size());
  made.subject = subject;
  if (const char* const reply = natsMsg_GetReply(message)) made.reply = reply;
  const Bytes payload = payload_of(message);
  made.sequence = number_of(header_of(message, "Nats-Sequence"));
  if (made.sequence != 0) made.subject = header_of(message, "Nats-Subject");
  if (!payload.empty()) made.payload = SharedBytes(payload);
  if (!payload.empty() || made.sequence != 0) return made;
  made.status = static_cast<int>(number_of(header_of(message, "Status")));
  if (made.status == 100) {
    made.is_flow_control = !made.reply.empty();
    made.last_consumer = number_of(header_of(message, "Nats-Last-Consumer"));
    made.stalled = header_of(message, "Nats-Consumer-Stalled");
  }
  return made;
}

Gate& new_gate(LinkEvents& events, const std::string& inbox) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<Gate>>& gates = *new std::vector<std::unique_ptr<Gate>>;
  const std::scoped_lock lock(mutex);
  Gate& gate = *gates.emplace_back(std::make_unique<Gate>());
  gate.events = &events;
  gate.inbox = inbox;
  return gate;
}

void tell_connection(void* closure, bool is_connected) {
  auto& gate = *static_cast<Gate*>(closure);
  // The next connection subscribes again. The broker then says which subscriptions it refuses.
  if (!is_connected) gate.refused.clear();
  const std::scoped_lock lock(gate.mutex);
  if (gate.events != nullptr) gate.events->on_connection(is_connected);
}

void on_connected(natsConnection* /*connection*/, void* gate) {
  tell_connection(gate, true);
}
void on_disconnected(natsConnection* /*connection*/, void* gate) {
  tell_connection(gate, false);
}
// The library gives up after the broker has refused the same credentials twice.
void on_closed(natsConnection* /*connection*/, void* closure) {
  auto& gate = *static_cast<Gate*>(closure);
  const std::scoped_lock lock(gate.mutex);
  if (gate.events != nullptr) gate.events->on_closed();
}

LinkProblem::Kind kind_of(natsStatus status) {
  switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
      return LinkProblem::Kind::credentials;
    case NATS_SSL_ERROR:
      return LinkProblem::Kind::certificate;
    case NATS_SECURE_CONNECTION_REQUIRED:
      return LinkProblem::Kind::needs_tls;
    case NATS_SECURE_CONNECTION_WANTED:
      return LinkProblem::Kind::has_no_tls;
    case NATS_NOT_PERMITTED:
      return LinkProblem::Kind::not_permitted;
    case NATS_PROTOCOL_ERROR:
    case NATS_IO_ERROR:
    case NATS_CONNECTION_CLOSED:
    case NATS_STALE_CONNECTION:
      return LinkProblem::Kind::broken_off;
    default:
      return LinkProblem::Kind::unreachable;
  }
}

// What the library did last in this thread has failed. Its own words for nobody there mislead.
void tell_problem(Gate& gate, natsStatus status) {
  LinkProblem problem{.kind = kind_of(status), .words = words_for(status)};
  if (status == NATS_TIMEOUT || status == NATS_NO_SERVER) problem.words = "no answer";
  const std::scoped_lock lock(gate.mutex);
  if (gate.events != nullptr) gate.events->on_problem(std::move(problem));
}

// Called on the thread that connects, between its attempts: so it knows why the last one failed. Before the first one, nothing has.
int64_t on_wait(natsConnection* /*connection*/, int /*attempts*/, void* closure) {
  auto& gate = *static_cast<Gate*>(closure);
  natsStatus last = NATS_OK;
  nats_GetLastError(&last);
  if (last != NATS_OK) tell_problem(gate, last);
  const auto spread = static_cast<std::uint64_t>(gate.reconnect_wait_ms / 2 + 1);
  return gate.reconnect_wait_ms + static_cast<int64_t>(SystemRandom().next_u64() % spread);
}

void on_error(natsConnection* /*connection*/, natsSubscription* /*subscription*/, natsStatus status,
              void* closure) {
  if (status != NATS_NOT_PERMITTED) return;
  auto& gate = *static_cast<Gate*>(closure);
  LinkProblem problem{.kind = kind_of(status), .words = words_for(status)};
  gate.refused.add(refused_subscription(problem));
  const std::scoped_lock lock(gate.mutex);
  if (gate.events != nullptr) gate.events->on_problem(std::move(problem));
}

void on_message(natsConnection* /*connection*/, natsSubscription* /*subscription*/, natsMsg* message,
                void* closure) {
  const MessageHandle owned(message);
  auto& gate = *static_cast<Gate*>(closure);
  const std::scoped_lock lock(gate.mutex);
  if (gate.events == nullptr) return;
  run_guarded("a message of the broker", [&] { gate.events->on_message(incoming_of(message, gate.inbox)); });
}

// What a connection of this link needs beyond set_options().
void set_events(natsOptions* made, Gate* gate) {
  natsOptions_SetMaxReconnect(made, -1);
  natsOptions_SetCustomReconnectDelay(made, on_wait, gate);
  // What is published while the connection is down fails at once: it waits in Outgoing, in order and within limits.
  natsOptions_SetReconnectBufSize(made, 1);
  natsOptions_SetFailRequestsOnDisconnect(made, true);
  // One thread of the library for all subscriptions: each topic has one.
  natsOptions_UseGlobalMessageDelivery(made, true);
  natsOptions_SetReconnectedCB(made, on_connected, gate);
  natsOptions_SetDisconnectedCB(made, on_disconnected, gate);
  natsOptions_SetClosedCB(made, on_closed, gate);
  natsOptions_SetErrorHandler(made, on_error, gate);
}

}  // namespace

std::string words_for(int status) {
  natsStatus last = NATS_OK;
  const char* const text = nats_GetLastError(&last);
  if (last == status && text != nullptr && *text != '\0') {
    // Without the place in the library's code: "(js.c:535): ".
    const std::string_view words = text;
    const std::size_t end = words.starts_with('(') ? words.find("): ") : std::string_view::npos;
    return std::string(end == std::string_view::npos ? words : words.substr(end + 3));
  }
  return natsStatus_GetText(static_cast<natsStatus>(status));
}

Link::Link() : parts_(std::make_unique<Parts>()) {}

Link::~Link() {
  close();
}

std::expected<void, std::string> Link::check(const NatsOptions& options) {
  natsOptions* raw_options = nullptr;
  if (const natsStatus status = natsOptions_Create(&raw_options); status != NATS_OK)
    return std::unexpected(words_for(status));
  const OptionsHandle handle(raw_options);
  return set_options(raw_options, options);
}

std::expected<void, std::string> Link::open(const NatsOptions& options, LinkEvents events) {
  parts_->options = options;
  parts_->events = std::move(events);
  char* raw_inbox = nullptr;
  if (const natsStatus status = natsInbox_Create(&raw_inbox); status != NATS_OK)
    return std::unexpected(words_for(status));
  inbox_ = joined({raw_inbox, "."});
  natsInbox_Destroy(raw_inbox);
  parts_->gate = &new_gate(parts_->events, inbox_);
  parts_->gate->reconnect_wait_ms = options.reconnect_wait.count();
  return check(options);
}

// The library's own retries of a first attempt end for good when the broker refuses it (nats.c 3.4), and nobody learns why.
bool Link::connect() {
  const auto fails = [this](natsStatus status) {
    if (status != NATS_OK) tell_problem(*parts_->gate, status);
    return status != NATS_OK;
  };
  {
    const std::scoped_lock lock(parts_->mutex);
    if (parts_->is_closed) return false;
  }
  natsOptions* raw_options = nullptr;
  if (fails(natsOptions_Create(&raw_options))) return false;
  const OptionsHandle handle(raw_options);
  if (const auto done = set_options(raw_options, parts_->options); !done) {
    parts_->events.on_problem({.kind = LinkProblem::Kind::certificate, .words = done.error()});
    return false;
  }
  set_events(raw_options, parts_->gate);
  auto session = std::make_shared<Session>();
  if (fails(natsConnection_Connect(&session->connection, raw_options))) return false;
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.Wait = kRequestTimeoutMs;
  if (fails(natsConnection_JetStream(&session->context, session->connection, &js_options))) return false;
  std::shared_ptr<Session> before = session;
  {
    const std::scoped_lock lock(parts_->mutex);
    if (parts_->is_closed) return false;
    session->number = ++parts_->sessions;
    before.swap(parts_->current);
  }
  session->acknowledgements = subscribe("a.*");
  session->past_messages = subscribe("r.*.*");
  if (session->acknowledgements == nullptr || session->past_messages == nullptr) {
    natsConnection_Close(session->connection);  // and on_closed follows
    return false;
  }
  parts_->events.on_connection(true);
  return true;
}

Session::~Session() {
  natsConnection_Close(connection);
  jsCtx_Destroy(context);
  acknowledgements.reset();
  past_messages.reset();
  natsConnection_Destroy(connection);
}

void Link::cut() {
  std::shared_ptr<Session> last;
  {
    const std::scoped_lock lock(parts_->mutex);
    parts_->is_closed = true;
    last = parts_->current;
  }
  if (last != nullptr) natsConnection_Close(last->connection);
}

void Link::close() {
  if (parts_->gate != nullptr) {
    const std::scoped_lock lock(parts_->gate->mutex);
    parts_->gate->events = nullptr;
  }
  cut();
  std::shared_ptr<Session> last;
  const std::scoped_lock lock(parts_->mutex);
  last.swap(parts_->current);
}

Subscribed Link::subscribe(const std::string& end) {
  return subscribe_to(joined({inbox_, end}));
}

Subscribed Link::subscribe_to(const std::string& subject) {
  natsSubscription* made = nullptr;
  const auto session = parts_->session();
  if (session == nullptr) return {nullptr, [](void*) {}};
  const natsStatus status =
      natsConnection_Subscribe(&made, session->connection, subject.c_str(), on_message, parts_->gate);
  if (status != NATS_OK) made = nullptr;
  if (made != nullptr) natsSubscription_SetPendingLimits(made, kInboxMessagesMax, kInboxBytesMax);
  return {made,
          [](void* subscription) { natsSubscription_Destroy(static_cast<natsSubscription*>(subscription)); }};
}

bool Link::is_connected() const {
  const auto session = parts_->session();
  return session != nullptr && natsConnection_Status(session->connection) == NATS_CONN_STATUS_CONNECTED;
}

// The library counts a reconnection before anything can be sent over it.
std::uint64_t Link::connection_number() const {
  const auto session = parts_->session();
  natsStatistics* raw_counts = nullptr;
  if (session == nullptr || natsStatistics_Create(&raw_counts) != NATS_OK) return 0;
  const StatisticsHandle counts(raw_counts);
  std::uint64_t reconnects = 0;
  natsConnection_GetStats(session->connection, raw_counts);
  natsStatistics_GetCounts(raw_counts, nullptr, nullptr, nullptr, nullptr, &reconnects);
  return (session->number << 32U) + reconnects;
}

std::size_t Link::payload_bytes_max() const {
  const auto session = parts_->session();
  return session == nullptr ? 0 : static_cast<std::size_t>(natsConnection_GetMaxPayload(session->connection));
}

bool Link::publish(const std::string& subject, const std::string& reply, Bytes payload,
                   const std::vector<Header>& headers) {
  const auto session = parts_->session();
  if (session == nullptr) return false;
  natsMsg* raw_message = nullptr;
  if (natsMsg_Create(&raw_message, subject.c_str(), reply.empty() ? nullptr : reply.c_str(),
                     reinterpret_cast<const char*>(payload.data()),
                     static_cast<int>(payload.size())) != NATS_OK) {
    return false;
  }
  const MessageHandle message(raw_message);
  for (const Header& header : headers) natsMsgHeader_Set(raw_message, header.name, header.value.c_str());
  return natsConnection_PublishMsg(session->connection, raw_message) == NATS_OK;
}

}  // namespace fanfare::relay
