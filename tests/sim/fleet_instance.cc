#include "fleet_instance.h"

#include <algorithm>
#include <utility>

#include "fleet_broker.h"
#include "fleet_clients.h"
#include "fleet_fleet.h"
#include "fleet_oracle.h"
#include "fleet_world.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "ws/close_code.h"

namespace fanfare::fleet {
namespace {

constexpr std::size_t kLoops = 2;
constexpr std::size_t kWaitingMax = 20'000;  // tasks of a thread

NatsOptions nats_options() {
  return {.servers = {"nats://broker"},
          .name = std::string(kRelayName),
          .limits = {.messages_max = 80},
          .publish_timeout = std::chrono::seconds(10)};
}

streams::StreamSpec spec_of(std::string name, Duration interval, TopicPolicy slow) {
  return {.name = name,
          .interval = interval,
          .calls = {{.name = "r", .method = name}},
          .fields = {{.name = "n", .pointer = "/r"}},
          .history_messages = 20,
          .slow_readers = slow};
}

SharedBytes with_position(Position at, const SharedBytes& payload) {
  const std::string text = line(at.epoch, "-", at.offset, " ", as_text(payload.view()));
  return SharedBytes(as_bytes(text));
}

}  // namespace

const std::vector<TopicPlan>& topic_plans() {
  static const std::vector<TopicPlan> plans = {
      {.name = "news", .policy = {}, .history = 30},
      {.name = "orders", .policy = {}, .history = 6, .when_down = WhenRelayDown::keep},
      {.name = "ticks", .policy = {.when_full = WhenFull::drop_oldest, .waiting_max = 8}, .history = 10},
      {.name = "state", .policy = {.when_full = WhenFull::keep_latest}, .history = 4},
  };
  return plans;
}

const std::vector<streams::StreamSpec>& stream_specs() {
  static const std::vector<streams::StreamSpec> specs = [] {
    std::vector<streams::StreamSpec> made;
    made.push_back(spec_of("load", 1s, {.when_full = WhenFull::keep_latest}));
    made.push_back(spec_of("level", 1500ms, {.when_full = WhenFull::close}));
    made.back().on_change = true;
    made.push_back(spec_of("receipts", 1s, {.when_full = WhenFull::close}));
    made.back().fields = {{.name = "list", .pointer = "/r"}};
    made.back().new_only = streams::NewOnly{.list = "list", .key = "id"};
    return made;
  }();
  return specs;
}

bool may_drop(std::string_view topic) {
  const auto is_close = [](TopicPolicy policy) { return policy.when_full == WhenFull::close; };
  for (const TopicPlan& plan : topic_plans()) {
    if (plan.name == topic) return !is_close(plan.policy);
  }
  for (const streams::StreamSpec& spec : stream_specs()) {
    if (streams::topic_of(spec.name) == topic) return !is_close(spec.slow_readers);
  }
  return false;
}

// --- the node that its streams poll ----------------------------------------------------------------------

class Instance::Node final : public upstream::Backend {
 public:
  Node(Instance& instance, NodeState& state) : instance_(instance), state_(state) {}
  std::string_view name() const override { return "polled"; }

  void call(std::string /*body*/, upstream::CallOptions options, upstream::Done done) override {
    world_fleet().polled(instance_, options.method);
    const Duration latency = world().one_in(40) ? world().between(0ms, 4s) : world().between(1ms, 60ms);
    instance_.worker_.call_at(
        instance_.worker_.now() + latency,
        [this, method = options.method, done = std::move(done)]() mutable { done(answer(method)); });
  }

 private:
  upstream::Result answer(const std::string& method) {
    using upstream::Failure;
    if (state_.fails && world().one_in(2))
      return std::unexpected(Failure{.kind = upstream::FailureKind::timeout, .message = "timed out"});
    std::string text;
    jsonrpc::append_result(text, "1", value(method));
    return upstream::Reply{.body = text};
  }
  std::string value(const std::string& method) const {
    if (method == "load") return std::to_string(++state_.counter);
    if (method == "level") return std::to_string(state_.level);
    std::string list = "[";
    for (std::uint64_t id = 1; id <= state_.entries; ++id)
      list += line(id > 1 ? "," : "", "{\"id\":", id, "}");
    return list + "]";
  }

  Instance& instance_;
  NodeState& state_;
};

// --- a loop --------------------------------------------------------------------------------------------

Instance::Loop::Loop(Instance& its_instance, std::size_t its_index)
    : instance(its_instance),
      index(its_index),
      thread(instance.process_),
      hub(instance.hub_, index, *this),
      streams{.catalog = instance.catalog_, .hub = hub, .clock = system_clock()},
      chain(instance.chain_, index, thread) {
  chain.close = [this](eth::ConnectionKey key) {
    const auto found = sessions.find(key);
    if (found != sessions.end()) found->second->wire().close(ws::close_code::try_again_later);
  };
}

Instant Instance::Loop::now() {
  return world().time.now();
}

void Instance::Loop::call_after(Duration delay, UniqueFunction<void()> task) {
  call_in(instance.process_, now() + delay, std::move(task));
}

void Instance::Loop::post_to(std::uint64_t session, UniqueFunction<void(Session&)> task) {
  thread.post([this, session, task = std::move(task)]() mutable {
    const auto found = sessions.find(session);
    if (found != sessions.end()) task(*found->second);
  });
}

// --- the process ---------------------------------------------------------------------------------------

Instance::Instance(std::size_t place, NodeState& node, gateway::simulated::World& chain)
    : process_(Inside::current()),
      place_(place),
      options_(nats_options()),
      random_(world().random.next_u64()),
      relay_(options_),
      leases_(relay_.native().link(), options_, process_->name),
      hub_(HubOptions{}, random_),
      catalog_(hub_, streams::Limits{}),
      node_(std::make_unique<Node>(*this, node)),
      chain_(chain, worker_, random_) {
  hub_.set_relay(relay_);
  add_topics();
  for (const streams::StreamSpec& spec : stream_specs())
    relay_.native().keep_at_least(spec.history_messages, spec.history_bytes * 2);
  std::vector<ChainLoop*> chain_loops;
  for (std::size_t i = 0; i < kLoops; ++i) {
    loops_.push_back(std::make_unique<Loop>(*this, i));
    chain_loops.push_back(&loops_.back()->chain);
  }
  process_->after_turn = [this] { leases_.look(); };
  hub_.attach(*this);
  leases_.start();
  add_streams();
  chain_.start(std::move(chain_loops));
  chain_.see_head();
}

Instance::~Instance() {
  for (const auto& loop : loops_) loop->sessions.clear();
}

bool Instance::post(std::size_t loop, Task task) {
  return loops_[loop]->thread.post(
      [this, loop, task = std::move(task)]() mutable { task(loops_[loop]->hub); });
}

void Instance::add_topics() {
  for (const TopicPlan& plan : topic_plans()) {
    const auto added = hub_.add(plan.name, {.history = {.messages_max = plan.history},
                                            .policy = plan.policy,
                                            .relayed = true,
                                            .when_relay_down = plan.when_down,
                                            .encode = with_position});
    if (!added) world().fail(added.error());
  }
}

void Instance::add_streams() {
  for (const streams::StreamSpec& spec : stream_specs()) {
    auto stream = catalog_.add({.name = spec.name,
                                .interval_ms = spec.interval / 1ms,
                                .on_change = spec.on_change,
                                .history_messages = spec.history_messages,
                                .history_bytes = spec.history_bytes,
                                .slow_readers = spec.slow_readers,
                                .shared = true,
                                .new_only = spec.new_only.has_value()});
    if (!stream) return world().fail(stream.error());
    sources_.push_back(std::make_shared<gateway::StreamSource>(
        spec, *std::move(stream), worker_, [this]() -> upstream::Backend& { return *node_; },
        &leases_.native()));
    sources_.back()->start();
  }
}

void Instance::publish(const TopicPlan& plan, const std::string& text) {
  const auto topic = hub_.find(plan.name);
  const auto result = hub_.publish(topic, SharedBytes(as_bytes(text)),
                                   [process = process_, name = plan.name, text](std::optional<Position> at) {
                                     if (process->is_alive) world().oracle->receipt(name, text, at);
                                   });
  if (result != PublishResult::accepted) return;
  tell(process_->name, line("publishes ", text));
  world().oracle->accepted(text, process_->number);
}

void Instance::die() {
  process_->is_alive = false;
  world().oracle->ended(process_->number);
  for (const auto& weak : wires_) {
    if (const auto wire = weak.lock()) wire->abandon();
  }
  world().broker->reset(process_);
}

void Instance::close_sessions(Duration spread) {
  for (const auto& loop : loops_) {
    for (const auto& [number, session] : loop->sessions) {
      call_in(process_, world().time.now() + world().between(0ms, spread), [&loop = *loop, number] {
        loop.post_to(number, [](Session& one) { one.wire().close(ws::close_code::service_restart); });
      });
    }
  }
}

std::size_t Instance::session_count() const {
  std::size_t sum = 0;
  for (const auto& loop : loops_) sum += loop->sessions.size();
  return sum;
}

void Instance::check_bounds() const {
  for (const auto& loop : loops_) {
    if (loop->thread.waiting() > kWaitingMax) world().fail(line("a mailbox of ", process_->name, " grows"));
  }
  if (relay_.waiting() > relay::NatsRelay::kQueueMessagesMax)
    world().fail(line("the relay's queue of ", process_->name, " grows"));
}

std::string Instance::leftover() const {
  const auto& counters = const_cast<FleetRelay&>(relay_).native().counters();
  if (!counters.is_up) return line("the relay of ", process_->name, " is down");
  if (counters.in_flight != 0)
    return line("the relay of ", process_->name, " has ", counters.in_flight.load(), " events in flight");
  if (hub_.room().messages() != 0 || hub_.room().bytes() != 0)
    return line("the hub of ", process_->name, " counts ", hub_.room().messages(), " events");
  return "";
}

std::string Instance::state_of_streams() const {
  std::string text = process_->name;
  for (std::size_t i = 0; i < stream_specs().size(); ++i) {
    const auto stream = catalog_.find(stream_specs()[i].name);
    text +=
        line(" ", stream->name(), "[watchers ", stream->watchers(), stream->is_ready() ? "" : ", not ready",
             holds_lease(i) ? ", leased" : "", stream->topic()->is_current ? "" : ", not current", ", at ",
             text_of({stream->topic()->assigned_epoch, stream->topic()->assigned_offset}), "]");
  }
  return text;
}

void Instance::accept(const std::shared_ptr<Wire>& wire, std::size_t index) {
  Loop& at = loop(index);
  wire->drained = [&at, number = wire->number()] {
    at.post_to(number, [](Session& session) { session.drained(); });
  };
  wire->gone = [&at, number = wire->number()] {
    at.thread.post([&at, number] { at.sessions.erase(number); });
  };
  std::erase_if(wires_, [](const auto& each) { return each.expired(); });
  wires_.push_back(wire);
}

}  // namespace fanfare::fleet
