#include "fleet_broker.h"

#include <algorithm>
#include <utility>

#include "fleet_oracle.h"
#include "fleet_world.h"
#include "relay/names.h"

namespace fanfare::fleet {
namespace {

constexpr Duration kWithoutInterest = 5s;  // then a consumer ends
constexpr std::string_view kDirectGet = "$JS.API.DIRECT.GET.";
constexpr std::string_view kKeyValue = "$KV.";  // then the bucket and the key
constexpr std::string_view kInfo = "$JS.API.INFO";
constexpr int kNoResponders = 503;
constexpr int kNotFound = 404;

std::string header(const std::map<std::string, std::string>& headers, const std::string& name) {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

// The instance notices. It closes its end then, which ends the callback's life.
void lose(const ConnectionPtr& connection) {
  const auto lost = connection->lost;
  if (lost) lost();
}

// What is under way holds the connection, which holds what is under way.
void forget(const BrokerConnection& connection) {
  connection.up->cut();
  connection.down->cut();
}

}  // namespace

// --- connections ---------------------------------------------------------------------------------------

void Pipe::send(Task arrives) {
  free_ = std::max(free_, world().time.now() + world().between(50us, latency_max));
  waiting_.push_back({.at = free_, .arrives = std::move(arrives)});
  plan();
}

void Pipe::set_blocked(bool is_blocked) {
  is_blocked_ = is_blocked;
  plan();
}

void Pipe::cut(std::size_t kept) {
  if (waiting_.size() > kept)
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(kept), waiting_.end());
}

void Pipe::plan() {
  if (is_planned_ || is_blocked_ || waiting_.empty()) return;
  is_planned_ = true;
  world().time.call_at(waiting_.front().at, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run();
  });
}

void Pipe::run() {
  is_planned_ = false;
  while (!is_blocked_ && !waiting_.empty() && waiting_.front().at <= world().time.now()) {
    Task arrives = std::move(waiting_.front().arrives);
    waiting_.pop_front();
    arrives();
  }
  plan();
}

Broker::~Broker() {
  for (const ConnectionPtr& each : connections_) forget(*each);
}

ConnectionPtr Broker::connect(const ProcessPtr& process) {
  if (!is_up_ || is_partitioned(process)) return nullptr;
  auto made = std::make_shared<BrokerConnection>();
  made->number = ++last_connection_;
  made->process = process;
  connections_.push_back(made);
  return made;
}

// What is under way arrives, or only a part of it.
void Broker::close(const ConnectionPtr& connection) {
  connection->deliver = nullptr;
  connection->lost = nullptr;
  connection->down->cut();
  if (world().one_in(2)) connection->up->cut(world().random.below(connection->up->size() + 1));
  connection->up->send([connection] { connection->is_open = false; });
}

void Broker::set_partitioned(const ProcessPtr& process, bool is_partitioned) {
  if (is_partitioned) {
    partitioned_.insert(process->number);
  } else {
    partitioned_.erase(process->number);
  }
  for (const ConnectionPtr& each : connections_) {
    if (each->process != process) continue;
    each->up->set_blocked(is_partitioned);
    each->down->set_blocked(is_partitioned);
    if (!is_partitioned) continue;
    // Two pings without an answer.
    call_in(process, world().time.now() + world().between(2s, 3500ms), [this, each] {
      if (this->is_partitioned(each->process) || !each->is_open) lose(each);
    });
  }
}

void Broker::reset(const ProcessPtr& process) {
  for (const ConnectionPtr& each : connections_) {
    if (each->process != process || !each->is_open) continue;
    each->is_open = false;
    each->up->cut();
    each->down->cut(world().random.below(each->down->size() + 1));
    if (is_partitioned(process)) continue;  // it learns that later
    call_in(process, world().time.now() + world().between(0ms, 50ms), [each] { lose(each); });
  }
}

void Broker::slow_down(const ProcessPtr& process, Duration latency_max) {
  for (const ConnectionPtr& each : connections_) {
    if (each->process != process) continue;
    each->up->latency_max = latency_max;
    each->down->latency_max = latency_max;
  }
}

void Broker::answer(const ConnectionPtr& to, const std::string& reply, relay::Incoming message) {
  if (!to->is_open || reply.empty()) return;
  to->down->send([to, reply, message = std::move(message)]() mutable {
    call_in(to->process, world().time.now(), [to, reply, message = std::move(message)]() mutable {
      if (to->deliver) to->deliver(std::move(message), reply);
    });
  });
}

// --- its life ------------------------------------------------------------------------------------------

void Broker::crash(bool loses_tail) {
  is_up_ = false;
  for (const ConnectionPtr& each : connections_) reset(each->process);
  consumers_.clear();
  if (!loses_tail) return;
  for (auto& [name, stream] : streams_) lose_tail(stream);
  if (bucket_.revision != bucket_synced_.revision) bucket_lost_at_ = world().time.now();
  bucket_ = bucket_synced_;
}

void Broker::lose_tail(Stream& stream) {
  if (stream.synced >= stream.last) return;
  const std::uint64_t to = std::max(stream.synced, stream.first - 1);
  tell("broker", line(stream.name, " loses ", to + 1, " to ", stream.last));
  world().oracle->lost(stream.name, to, stream.last);
  stream.kept.resize(to + 1 - stream.first);
  stream.last = to;
  std::erase_if(stream.ids, [&](const auto& each) { return each.second.sequence > to; });
}

void Broker::restart() {
  is_up_ = true;
  std::erase_if(connections_, [](const ConnectionPtr& each) {
    const bool has_ended = !each->is_open && !each->lost;
    if (has_ended) forget(*each);
    return has_ended;
  });
}

void Broker::sync() {
  for (auto& [name, stream] : streams_) stream.synced = stream.last;
  bucket_synced_ = bucket_;
}

void Broker::send_leader_away(Duration time) {
  if (streams_.empty()) return;
  auto at = std::next(streams_.begin(), static_cast<std::ptrdiff_t>(world().random.below(streams_.size())));
  at->second.away_until = world().time.now() + time;
  tell("broker", line(at->first, " has no leader"));
}

// --- streams -------------------------------------------------------------------------------------------

std::uint64_t Broker::Stream::epoch() const {
  return relay::epoch_of(subject).value_or(0);
}

relay::StreamState Broker::Stream::state() const {
  return {.epoch = epoch(), .first = first, .last = last};
}

Broker::Stream* Broker::find(const std::string& name) {
  const auto found = streams_.find(name);
  return found == streams_.end() ? nullptr : &found->second;
}

bool Broker::create(const std::string& name, const std::string& subject, std::size_t kept_max) {
  const auto [at, is_new] = streams_.try_emplace(name);
  if (!is_new) return false;
  at->second.name = name;
  at->second.subject = subject;
  at->second.kept_max = kept_max;
  tell("broker", line("created ", name, " with ", subject));
  return true;
}

void Broker::set_subject(Stream& stream, const std::string& subject) {
  if (stream.subject == subject) return;
  stream.subject = subject;
  tell("broker", line(stream.name, " has the subject ", subject));
}

void Broker::publish(const ConnectionPtr& from, const std::string& subject, const std::string& reply,
                     const SharedBytes& payload, const std::map<std::string, std::string>& headers) {
  if (subject.starts_with(kDirectGet))
    return get_directly(from, subject.substr(kDirectGet.size()), reply, std::string(as_text(payload.view())));
  if (subject == kInfo) return answer(from, reply, {.to = {}, .payload = SharedBytes(as_bytes("{}"))});
  if (subject.starts_with(kKeyValue)) {
    put(subject.substr(subject.rfind('.') + 1), std::string(as_text(payload.view())),
        std::stoull(header(headers, "Nats-Expected-Last-Subject-Sequence")));
    return;
  }
  if (relay::read_epoch_notice(kRelayName, subject)) return pass_on(subject);
  const auto found =
      std::ranges::find_if(streams_, [&](const auto& each) { return each.second.subject == subject; });
  const bool is_away = found != streams_.end() && found->second.away_until > world().time.now();
  if (is_away && world().one_in(2)) return;  // lost
  if (found == streams_.end() || is_away) return answer(from, reply, {.to = {}, .status = kNoResponders});
  Stream& stream = found->second;
  const std::string id = header(headers, "Nats-Msg-Id");
  const std::string expected = header(headers, "Nats-Expected-Last-Sequence");
  const auto known = stream.ids.find(id);
  if (known != stream.ids.end() && world().time.now() - known->second.at < kDuplicatesFor &&
      world().planted != Planted::no_deduplication) {
    tell("broker", line(stream.name, " has ", id, " already at ", known->second.sequence));
    return acknowledge(
        stream, from, reply,
        line(R"({"stream":")", stream.name, R"(","seq":)", known->second.sequence, R"(,"duplicate":true})"));
  }
  if (!expected.empty() && expected != std::to_string(stream.last)) {
    tell("broker", line(stream.name, " refuses ", id, ": not behind ", stream.last));
    return acknowledge(
        stream, from, reply,
        R"({"error":{"code":400,"err_code":10071,"description":"wrong last sequence"},"seq":0})");
  }
  acknowledge(stream, from, reply, store(stream, payload, id));
}

void Broker::pass_on(const std::string& notice) {
  const std::string notices = relay::epoch_notices_of(kRelayName);
  for (const ConnectionPtr& each : connections_) {
    if (each->subjects.contains(notices)) answer(each, notices, {.to = {}, .subject = notice});
  }
}

std::string Broker::store(Stream& stream, const SharedBytes& payload, const std::string& id) {
  ++stream.last;
  stream.kept.push_back({.subject = stream.subject, .payload = payload, .at = world().time.now()});
  stream.ids[id] = {.sequence = stream.last, .at = world().time.now()};
  while (stream.kept.size() > stream.kept_max) {
    stream.kept.pop_front();
    ++stream.first;
  }
  tell("broker", line(stream.name, " stores ", id, " at ", stream.last));
  world().oracle->stored(stream.name, {.epoch = stream.epoch(), .offset = stream.last}, payload);
  for (auto& [name, consumer] : consumers_) {
    if (consumer.stream == stream.name) plan(consumer);
  }
  return line(R"({"stream":")", stream.name, R"(","seq":)", stream.last, "}");
}

// Those of one stream in order; now and then late, and now and then twice.
void Broker::acknowledge(Stream& stream, const ConnectionPtr& to, const std::string& reply,
                         const std::string& json) {
  const Duration wait = world().one_in(30) ? world().between(0ms, 6s) : world().between(0ms, 4ms);
  stream.answers_free = std::max(stream.answers_free, world().time.now() + wait);
  for (int times = world().one_in(25) ? 2 : 1; times > 0; --times) {
    world().time.call_at(stream.answers_free, [this, to, reply, json] {
      answer(to, reply, {.to = {}, .payload = SharedBytes(as_bytes(json))});
    });
  }
}

void Broker::get_directly(const ConnectionPtr& from, const std::string& name, const std::string& reply,
                          const std::string& request) {
  const Stream* const stream = find(name);
  const std::uint64_t sequence = std::stoull(request.substr(request.find(':') + 1));
  if (stream == nullptr || stream->away_until > world().time.now())
    return answer(from, reply, {.to = {}, .status = kNoResponders});
  if (sequence < stream->first || sequence > stream->last)
    return answer(from, reply, {.to = {}, .status = kNotFound});
  const Stream::Stored& stored = stream->at(sequence);
  answer(from, reply, {.to = {}, .subject = stored.subject, .payload = stored.payload, .sequence = sequence});
}

// --- consumers -----------------------------------------------------------------------------------------

std::optional<std::string> Broker::consume(const ConnectionPtr& from, const std::string& stream,
                                           std::uint64_t first, const std::string& deliver_to,
                                           Duration heartbeat) {
  const Stream* const read = find(stream);
  if (read == nullptr) return std::nullopt;
  const std::string name = line("c", ++last_consumer_);
  Consumer& made = consumers_[name];
  made = {.name = name,
          .stream = stream,
          .deliver_to = deliver_to,
          .connection = from,
          .next = std::min(first, read->last + 1),
          .heartbeat = heartbeat,
          .sent_at = world().time.now()};
  plan(made);
  world().time.call_after(heartbeat, [this, name] { beat(name); });
  return name;
}

void Broker::plan(Consumer& consumer) {
  if (std::exchange(consumer.is_planned, true)) return;
  world().time.call_after(world().between(0ms, 3ms), [this, name = consumer.name] { run(name); });
}

void Broker::run(const std::string& name) {
  const auto found = consumers_.find(name);
  if (found == consumers_.end()) return;
  Consumer& consumer = found->second;
  consumer.is_planned = false;
  Stream* const stream = find(consumer.stream);
  if (stream == nullptr || !consumer.connection->subjects.contains(consumer.deliver_to)) return;
  if (stream->away_until > world().time.now()) return;
  deliver(consumer, *stream);
}

void Broker::deliver(Consumer& consumer, Stream& stream) {
  for (consumer.next = std::max(consumer.next, stream.first); consumer.next <= stream.last; ++consumer.next) {
    const Stream::Stored& stored = stream.at(consumer.next);
    ++consumer.sent;
    consumer.sent_at = world().time.now();
    if (world().one_in(300)) continue;  // lost on the way
    const Duration time = world().planted == Planted::times_alike ? 1ns : stored.at.time_since_epoch();
    answer(consumer.connection, consumer.deliver_to,
           {.to = {},
            .subject = stored.subject,
            .reply = line("$JS.ACK.", stream.name, ".", consumer.name, ".1.", consumer.next, ".",
                          consumer.sent, ".", time / 1ns, ".", stream.last - consumer.next),
            .payload = stored.payload});
  }
}

void Broker::beat(const std::string& name) {
  const auto found = consumers_.find(name);
  if (found == consumers_.end()) return;
  Consumer& consumer = found->second;
  const Instant now = world().time.now();
  const bool has_interest =
      consumer.connection->is_open && consumer.connection->subjects.contains(consumer.deliver_to);
  if (!has_interest && now - consumer.sent_at > kWithoutInterest) {
    consumers_.erase(found);
    return;
  }
  if (has_interest) {
    run(name);
    if (now - consumer.sent_at >= consumer.heartbeat) {
      consumer.sent_at = now;
      answer(consumer.connection, consumer.deliver_to,
             {.to = {}, .status = 100, .last_consumer = consumer.sent});
    }
  }
  world().time.call_after(consumer.heartbeat, [this, name] { beat(name); });
}

void Broker::unsubscribed(const ConnectionPtr& from, const std::string& subject) {
  from->subjects.erase(subject);
}

// --- the bucket of the leases --------------------------------------------------------------------------

std::optional<relay::Bucket::Entry> Broker::get(const std::string& key) const {
  const auto found = bucket_.entries.find(key);
  return found == bucket_.entries.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint64_t> Broker::put(const std::string& key, const std::string& value,
                                         std::uint64_t after) {
  const auto found = bucket_.entries.find(key);
  const std::uint64_t present = found == bucket_.entries.end() ? 0 : found->second.revision;
  if (present != after && world().planted != Planted::lease_unchecked) return std::nullopt;
  bucket_.entries[key] = {.value = value, .revision = ++bucket_.revision};
  tell("broker", line("lease of ", key, " to ", value, " as ", bucket_.revision));
  return bucket_.revision;
}

}  // namespace fanfare::fleet
