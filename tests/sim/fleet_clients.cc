#include "fleet_clients.h"

#include <stdexcept>
#include <utility>

#include "eth/cursor.h"
#include "fleet_fleet.h"
#include "fleet_oracle.h"
#include "fleet_world.h"
#include "jsonrpc/value.h"
#include "sources_history.h"
#include "streams/merge_patch.h"

namespace fanfare::fleet {
namespace {

std::string range_of(const Missed& missed) {
  return line(text_of(missed.after), " to ", text_of(missed.until));
}

std::string_view member(std::string_view json, std::string_view name) {
  return jsonrpc::member(json, name).value_or("");
}
std::string string_in(std::string_view json, std::string_view name) {
  return jsonrpc::string_copy(member(json, name)).value_or("");
}
std::optional<Position> position_in(std::string_view json, std::string_view name) {
  const std::string_view object = member(json, name);
  if (object.empty()) return std::nullopt;
  return Position{.epoch = jsonrpc::uint_value(member(object, "epoch")).value_or(0),
                  .offset = jsonrpc::uint_value(member(object, "offset")).value_or(0)};
}
std::optional<Missed> missing_in(std::string_view json) {
  const std::string_view object = member(json, "missing");
  if (object.empty()) return std::nullopt;
  return Missed{.after = *position_in(object, "after"), .until = *position_in(object, "until")};
}

}  // namespace

// --- connections ---------------------------------------------------------------------------------------

void Client::fail(const std::string& what) const {
  world().fail(line(name_, ": ", what));
}

void Client::say(const std::string& what) const {
  tell(name_, what);
}

void Client::come_back(Duration in) {
  if (std::exchange(is_trying_, true)) return;
  world().time.call_after(in, [this] {
    is_trying_ = false;
    connect();
  });
}

void Client::connect() {
  if (wire_ != nullptr || is_trying_) return;
  Instance* const instance = world_fleet().balance();
  if (instance == nullptr) return come_back(world().between(100ms, 1s));
  reach(*instance);
}

void Client::reach(Instance& instance) {
  const auto wire = std::make_shared<Wire>(world_fleet().next_wire(), instance.process(), *this);
  wire_ = wire;
  Instance::Loop& loop = instance.loop(world().random.below(instance.loop_count()));
  instance.accept(wire, loop.index);
  say(line("goes to ", instance.process()->name));
  auto session = make_session(loop, wire);
  loop.thread.post([&loop, wire, session = std::move(session)]() mutable {
    Session& one = *session;
    loop.sessions.emplace(wire->number(), std::move(session));
    if (wire->is_open()) one.begin();
  });
}

void Client::cut() {
  if (wire_ == nullptr) return;
  say("leaves");
  std::exchange(wire_, nullptr)->cut(world().one_in(2));
  come_back(world().between(0ms, 8s));
}

void Client::read(const Wire& wire, const Told& told) {
  if (&wire != wire_.get() || world().has_failed()) return;
  if (told.kind != Told::Kind::closed) return take(told);
  say(line("is closed with ", told.text));
  wire_ = nullptr;
  come_back(world().between(50ms, 2s));
}

// --- positions -----------------------------------------------------------------------------------------

void PositionedClient::begin(std::optional<Position> position, bool recovered,
                             const std::optional<Missed>& missed, bool is_exact) {
  say(line("joins ", topic_, position ? " at " + text_of(*position) : "",
           recovered ? "" : ", not recovered"));
  is_certain_ = position && (asked_ || is_exact);
  if (!asked_) {
    if (position) at_ = position;
    return;
  }
  if (recovered) {
    if (position && *position != *asked_)
      fail(line("recovered at ", text_of(*position), ", but asked for ", text_of(*asked_)));
    return;
  }
  if (!missed) return fail("not recovered, and not told what is missing");
  miss(*missed);
}

void PositionedClient::step_to(Position position) {
  const bool follows = at_ && position.epoch == at_->epoch && position.offset == at_->offset + 1;
  const bool is_later = !at_ || position.epoch != at_->epoch || position.offset > at_->offset;
  if (is_certain_ ? !follows : !is_later)
    return fail(
        line("gets ", text_of(position), " of ", topic_, " and is at ", at_ ? text_of(*at_) : "nowhere"));
  at_ = position;
  is_certain_ = true;
}

void PositionedClient::miss(const Missed& missed) {
  say(line("misses ", range_of(missed), " of ", topic_));
  if (is_certain_ && missed.after != *at_)
    return fail(line("misses ", range_of(missed), " of ", topic_, " and is at ", text_of(*at_)));
  if (missed.is_counted() && missed.count() == 0) return fail(line("misses nothing: ", range_of(missed)));
  world().oracle->missed(topic_, missed, may_drop_);
  at_ = missed.until;
  is_certain_ = true;
}

std::string PositionedClient::lacks() const {
  const Position end = world().oracle->end_of(topic_);
  const Position here = at_.value_or(Position{});
  if (!is_connected()) return "is not connected";
  // One that joined while the broker was away, and does not know where it is, has had everything since.
  if (here == end || !at_) return "";
  return line("is at ", text_of(here), " of ", topic_, ", which ends at ", text_of(end));
}

// --- topics of a program -------------------------------------------------------------------------------

std::unique_ptr<Session> TopicClient::make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) {
  ask(at());
  return std::make_unique<TopicSession>(std::move(wire), loop.hub, loop.instance.topic(topic()), at());
}

void TopicClient::take(const Told& told) {
  switch (told.kind) {
    case Told::Kind::joined:
      return begin(told.at.epoch == 0 ? std::nullopt : std::optional(told.at), told.recovered, told.missed,
                   false);
    case Told::Kind::event:
      say(line("gets ", told.text, " at ", text_of(told.at)));
      step_to(told.at);
      return world().oracle->seen(topic(), told.at, told.text);
    case Told::Kind::missed:
      return miss(*told.missed);
    case Told::Kind::text:
    case Told::Kind::closed:
      return;
  }
}

// --- streams -------------------------------------------------------------------------------------------

std::unique_ptr<Session> StreamClient::make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) {
  std::string request = line(R"({"type":"subscribe","stream":")", stream_, R"(","position":true)");
  // A patch would be against the value at that position.
  if (delta_ && (!at() || value_)) request += R"(,"delta":"merge")";
  if (at()) request += line(R"(,"since":{"epoch":)", at()->epoch, R"(,"offset":)", at()->offset, "}");
  ask(at());
  return std::make_unique<StreamSession>(std::move(wire), loop.streams, request + "}");
}

void StreamClient::take(const Told& told) {
  const std::string type = string_in(told.text, "type");
  if (type == "notice") return take_notice(told.text);
  if (type == stream_) return take_value(told.text);
  if (type != "subscribed") return fail(line("gets ", told.text));
  if (!at() || member(told.text, "recovered") == "false") value_.reset();
  begin(position_in(told.text, "position"), member(told.text, "recovered") != "false", missing_in(told.text),
        true);
}

void StreamClient::take_notice(std::string_view json) {
  say(std::string(json));
  if (const auto missed = missing_in(json)) {
    value_.reset();
    return miss(*missed);
  }
  // That the broker is away has no place among the events.
  const auto offset = jsonrpc::uint_value(member(json, "offset"));
  if (!offset || !at()) return;
  step_to({.epoch = at()->epoch, .offset = *offset});
  world().oracle->seen(topic(), *at(), line("notice of ", string_in(json, "state")));
}

void StreamClient::take_value(std::string_view json) {
  if (const std::string_view patch = member(json, "patch"); !patch.empty()) {
    if (!value_) return fail(line("gets a patch without a value: ", json));
    streams::apply_merge_patch(*value_, *streams::parse_json(patch));
  } else {
    value_ = streams::parse_json(member(json, "data"));
  }
  say(line("gets ", json));
  // It joined while the broker was away: nobody told it the epoch.
  if (!at()) return;
  step_to({.epoch = at()->epoch, .offset = jsonrpc::uint_value(member(json, "offset")).value_or(0)});
  world().oracle->seen(topic(), *at(), value_->write());
}

// --- the chain -----------------------------------------------------------------------------------------

ChainClient::ChainClient(std::string name, Duration pace, const gateway::simulated::World& chain,
                         std::string filter)
    : Client(std::move(name), pace),
      chain_(chain),
      filter_(std::move(filter)),
      first_(chain.head().block.number),
      first_hash_(chain.head().block.hash),
      cursor_(eth::to_cursor(
          {.number = first_, .hash = first_hash_, .logs_told = eth::Position::kAll, .ancestors = {}})) {}

std::unique_ptr<Session> ChainClient::make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) {
  const std::string what = filter_.empty() ? R"("newHeads")" : R"("logs",)" + filter_;
  return std::make_unique<ChainSession>(std::move(wire), loop.chain,
                                        line("[", what, R"(,{"cursor":")", cursor_, R"("}])"));
}

void ChainClient::take(const Told& told) {
  const std::string_view params = member(told.text, "params");
  const std::string_view notice = member(params, "notice");
  say(line("gets ", notice.empty() ? member(params, "result").substr(0, 60) : notice));
  if (!notice.empty() && string_in(notice, "type") != "live") return fail(line("gets the notice ", notice));
  if (notice.empty()) results_.emplace_back(member(params, "result"));
  cursor_ = string_in(params, "cursor");
}

std::string ChainClient::lacks() const {
  const gateway::simulated::Joined joined{.number = first_, .hash = first_hash_};
  try {
    if (filter_.empty()) {
      gateway::simulated::check_heads(results_, joined, chain_);
    } else {
      gateway::simulated::check_logs(results_, eth::parse_log_filter(filter_).value(), first_, first_,
                                     chain_);
    }
  } catch (const std::runtime_error& wrong) {
    return line("its notifications are not the chain: ", wrong.what());
  }
  return is_connected() ? "" : "is not connected";
}

}  // namespace fanfare::fleet
