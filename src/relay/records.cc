#include "relay/records.h"

#include <pthread.h>

#include <charconv>

#include "base/guard.h"
#include "base/log.h"
#include "base/text.h"
#include "jsonrpc/value.h"
#include "relay/names.h"
#include "relay/record_stream.h"
#include "ws/base64.h"

namespace fanfare::relay {
namespace {

// The broker's err_code.
constexpr int kNoMessage = 10037;
constexpr int kNoStream = 10059;
constexpr int kOtherRevisionCode = 10071;
constexpr std::size_t kRecordHeaderBytesMax = 512;
constexpr std::string_view kAnswer = "a.";

std::string hex_of(std::uint64_t number) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr;
  return {text.data(), end};
}

}  // namespace

Records::Records(NatsOptions options, RecordOptions records, std::uint64_t instance)
    : options_(std::move(options)),
      records_(std::move(records)),
      instance_(instance),
      stream_(joined({options_.name, "_", records_.what})) {}

Records::~Records() {
  stop();
}

void Records::start(RecordUser& user) {
  user_ = &user;
  const auto opened =
      link_.open(options_, {.on_message = [this](Incoming message) { put_task(std::move(message)); },
                            .on_connection = [this](bool is_up) { put_task(Connection{is_up}); },
                            .on_problem = [this](LinkProblem problem) { put_task(std::move(problem)); },
                            .on_closed = [this] { put_task(Closed{}); }});
  if (!opened) return log::error("records_not_started", {{"stream", stream_}, {"reason", opened.error()}});
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "records");
}

void Records::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  has_tasks_.notify_one();
  has_room_.notify_all();
  link_.cut();  // the thread may wait for an answer of a broker that hangs
  if (thread_.joinable()) thread_.join();
  is_up_ = false;
  asked_.reset();
  link_.close();
  waiting_.clear();
  std::deque<Task> unread;
  const std::scoped_lock lock(mutex_);
  unread.swap(tasks_);
}

bool Records::put_task(Task task) {
  {
    std::unique_lock lock(mutex_);
    if (std::holds_alternative<Incoming>(task)) {
      has_room_.wait(lock, [this] { return stopping_ || tasks_.size() < kQueueMax; });
    }
    if (stopping_) return false;
    tasks_.push_back(std::move(task));
  }
  has_tasks_.notify_one();
  return true;
}

void Records::post(UniqueFunction<void()> task) {
  put_task(std::move(task));
}

std::deque<Records::Task> Records::wait_for_tasks() {
  std::unique_lock lock(mutex_);
  has_tasks_.wait_for(lock, kTick, [this] { return stopping_ || !tasks_.empty(); });
  std::deque<Task> taken = std::exchange(tasks_, {});
  lock.unlock();
  has_room_.notify_all();
  return taken;
}

void Records::run() {
  for (;;) {
    std::deque<Task> tasks = wait_for_tasks();
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) break;
    }
    for (Task& task : tasks) {
      run_guarded("a task of the records",
                  [&] { std::visit([this](auto& one) { handle(std::move(one)); }, task); });
    }
    run_guarded("the records", [this] { tick(system_clock().now()); });
  }
}

void Records::tick(Instant now) {
  if (const auto why = link_.look(now)) log_.connects_again(*why);
  if (connects_.take(now) && !link_.connect()) connects_.failed(now);
  if (is_connected_ && now >= open_at_) open_stream(now);
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    if (one->second.until > now) {
      ++one;
      continue;
    }
    fail(std::move(waiting_.extract(one++).mapped()));
  }
  user_->on_tick(now);
}

// --- the connection --------------------------------------------------------------------------------

void Records::handle(Connection task) {
  is_connected_ = task.is_up;
  if (!is_connected_) {
    set_up(false);
    for (auto& [number, waiting] : std::exchange(waiting_, {})) fail(std::move(waiting));
    return;
  }
  connects_.connected();
  log_.connected();
  asked_ = link_.subscribe_to(ask_subject(instance_));
  bytes_max_ = link_.payload_bytes_max() - std::min(link_.payload_bytes_max(), kRecordHeaderBytesMax);
  open_stream(system_clock().now());
}

void Records::handle(Closed /*task*/) {
  connects_.failed(system_clock().now());
}

void Records::handle(const LinkProblem& problem) {
  log_.problem(problem, system_clock().now());
  // Without the inbox nothing is answered, and without the other one nobody can ask for a session.
  if (link_.lacks_subscriptions()) set_up(false);
}

void Records::open_stream(Instant now) {
  const auto opened = open_record_stream(link_, known_, options_, stream_, records_);
  if (!opened) {
    log_.refusal(opened.error(), now, records_.what);
    return lose_stream(now);
  }
  open_at_ = Instant::max();
  const bool has_forgotten = created_ && (*created_ != opened->created || opened->last < highest_);
  created_ = opened->created;
  highest_ = opened->last;
  set_up(asked_ != nullptr && !link_.lacks_subscriptions());
  if (!has_forgotten) return;
  log::warn("records_forgotten", {{"stream", stream_}});
  user_->on_forgotten();
}

void Records::lose_stream(Instant now) {
  set_up(false);
  open_at_ = saturating_add(now, kOpenRetry);
}

void Records::set_up(bool is_up) {
  if (is_up_.exchange(is_up) == is_up) return;
  if (is_up) {
    log::info("records_up", {{"stream", stream_}});
  } else {
    log::warn("records_down", {{"stream", stream_}, {"connected", is_connected_}});
  }
}

// --- requests --------------------------------------------------------------------------------------

std::string Records::ask_subject(std::uint64_t instance) const {
  return joined({stream_, ".ask.", hex_of(instance)});
}

void Records::request(const std::string& subject, Bytes payload, const std::vector<Header>& headers,
                      Waiting waiting) {
  const std::uint64_t number = ++last_request_;
  if (!is_connected_ ||
      !link_.publish(subject, joined({link_.inbox(), kAnswer, std::to_string(number)}), payload, headers)) {
    // Later: the caller does not expect an answer within the call.
    waiting.until = Instant{};
  }
  waiting_.emplace(number, std::move(waiting));
}

void Records::get(const std::string& key, Got done) {
  const std::string question = joined({R"({"last_by_subj":")", stream_, ".k.", key, R"("})"});
  request(joined({"$JS.API.STREAM.MSG.GET.", stream_}), as_bytes(question), {},
          {.done = std::move(done), .until = saturating_add(system_clock().now(), kAnswerWait)});
}

void Records::put(const std::string& key, std::string value, std::uint64_t after, Done done) {
  request(joined({stream_, ".k.", key}), as_bytes(value),
          {{.name = "Nats-Expected-Last-Subject-Sequence", .value = std::to_string(after)}},
          {.done = std::move(done), .until = saturating_add(system_clock().now(), kAnswerWait)});
}

void Records::ask(std::uint64_t instance, std::string question, Answered done) {
  request(ask_subject(instance), as_bytes(question), {},
          {.done = std::move(done), .until = saturating_add(system_clock().now(), kAskWait)});
}

void Records::fail(Waiting waiting) {
  if (auto* const got = std::get_if<Got>(&waiting.done)) return (*got)(std::unexpected(Failure::away));
  if (auto* const done = std::get_if<Done>(&waiting.done)) return (*done)(std::unexpected(Failure::away));
  std::get<Answered>(waiting.done)(std::nullopt);
}

void Records::handle(const Incoming& message) {
  if (message.to.empty()) {
    if (message.subject != ask_subject(instance_) || message.reply.empty()) return;
    const std::string answer = user_->on_asked(as_text(message.payload.view()));
    link_.publish(message.reply, {}, as_bytes(answer), {});
    return;
  }
  if (!message.to.starts_with(kAnswer)) return;
  std::uint64_t number = 0;
  std::from_chars(message.to.data() + kAnswer.size(), message.to.data() + message.to.size(), number);
  auto waiting = waiting_.extract(number);
  if (!waiting.empty()) answered(std::move(waiting.mapped()), message);
}

void Records::answered(Waiting waiting, const Incoming& message) {
  if (auto* const got = std::get_if<Got>(&waiting.done)) return (*got)(stored_in(message));
  if (auto* const done = std::get_if<Done>(&waiting.done)) {
    const auto revision = revision_in(message);
    highest_ = std::max(highest_, revision.value_or(0));
    return (*done)(revision);
  }
  const bool is_gone = message.status != 0;
  std::get<Answered>(waiting.done)(is_gone ? std::nullopt
                                           : std::optional(std::string(as_text(message.payload.view()))));
}

std::expected<std::optional<RecordBroker::Stored>, RecordBroker::Failure> Records::stored_in(
    const Incoming& message) {
  const std::string_view json = as_text(message.payload.view());
  if (message.status != 0 || !jsonrpc::is_valid_json(json)) {
    if (message.status == kNoResponders) lose_stream(system_clock().now());
    return std::unexpected(Failure::away);
  }
  if (jsonrpc::member(json, "error")) {
    const auto refused = acknowledgement_of(json);
    if (refused && refused->error == kNoMessage) return std::nullopt;
    if (refused && refused->error == kNoStream) lose_stream(system_clock().now());
    return std::unexpected(Failure::away);
  }
  const auto stored = jsonrpc::member(json, "message");
  const auto sequence = stored ? jsonrpc::member(*stored, "seq") : std::nullopt;
  const auto data = stored ? jsonrpc::member(*stored, "data") : std::nullopt;
  const auto revision = sequence ? jsonrpc::uint_value(*sequence) : std::nullopt;
  const auto text = data ? jsonrpc::string_copy(*data) : std::nullopt;
  if (!revision) return std::unexpected(Failure::away);
  const auto bytes = ws::base64_decode(text.value_or(""));
  if (!bytes) return std::unexpected(Failure::away);
  return Stored{.value = std::string(as_text(Bytes(*bytes))), .revision = *revision};
}

std::expected<std::uint64_t, RecordBroker::Failure> Records::revision_in(const Incoming& message) {
  const auto answer =
      message.status == 0 ? acknowledgement_of(as_text(message.payload.view())) : std::nullopt;
  if (answer && answer->sequence != 0) return answer->sequence;
  if (answer && answer->error == kOtherRevisionCode) return std::unexpected(Failure::conflict);
  // Without a stream for the subject there is nobody who answers.
  if (message.status == kNoResponders) lose_stream(system_clock().now());
  if (answer) log_.refusal(answer->description, system_clock().now(), records_.what);
  return std::unexpected(Failure::away);
}

}  // namespace fanfare::relay
