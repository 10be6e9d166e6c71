#include "gateway/forward.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/guard.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/head_need.h"
#include "upstream/methods.h"
#include "upstream/node_error.h"

namespace fanfare::gateway {
namespace {

// After a rejected batch of at most this size, each element is sent alone.
constexpr std::size_t kOneByOneMax = 4;

// Requests to the node have ids of our own, so that the callers' ids come back exactly. Nodes may change
// integers above 2^53, and two elements of a batch may have the same id.
std::string request_text(const ForwardItem& item, std::size_t number) {
  std::string text;
  jsonrpc::append_request(text, std::to_string(number), item.method, item.params);
  return text;
}

class Forwarding : public std::enable_shared_from_this<Forwarding> {
 public:
  Forwarding(upstream::Backend& backend, SharedReads* reads, ForwardJob job,
             UniqueFunction<void(ForwardJob)> done)
      : backend_(backend), reads_(reads), job_(std::move(job)), done_(std::move(done)) {}
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;
  // If memory ran out on the way, a callback may have been lost with its answer.
  ~Forwarding() {
    if (outstanding_ == 0) return;
    run_guarded("the end of a call", [this] {
      for (ForwardItem& item : job_.items) {
        if (item.answer.empty()) rpc::append_no_memory(item.answer, item.id);
      }
      done_(std::move(job_));
    });
  }

  void start() {
    // No client gets less than any other client has seen, on any transport or loop.
    if (reads_ != nullptr) {
      job_.head_min = std::max(job_.head_min, reads_->steady().shown());
      times_back_ = reads_->steady().times_back();
    }
    outstanding_ = 1;  // our own, so that nothing ends during the start
    for (std::size_t i = 0; i < job_.items.size(); ++i) {
      if (job_.items[i].answer.empty()) open(i);
    }
    if (to_send_.size() == 1) call_one(to_send_.front());
    if (to_send_.size() > 1) call_batch(to_send_);
    ended();
  }

 private:
  // An item sent to the node in a call of ours, perhaps shared with other callers.
  struct Sent {
    std::size_t index = 0;
    std::optional<SharedReads::Read> read;  // empty: it is not shared
    SharedReads::Ticket ticket{};
    std::uint64_t head_min = 0;  // a node without this block must not answer
  };

  using Part = std::vector<Sent>;

  upstream::CallOptions options(upstream::CallOptions made, std::uint64_t head_min) const {
    made.head_min = head_min;
    // Reads prefer a node that keeps up, but do not wait for one.
    if (made.repeat == upstream::Repeat::always) made.head_preferred = job_.head_min;
    made.payer = job_.room.share();
    made.caller = job_.caller;
    made.queue_time = queue_time_;
    if (job_.timeout > Duration::zero()) made.timeout = job_.timeout;
    return made;
  }

  // Answers from the cache, by a shared call, or by a call of its own.
  void open(std::size_t index) {
    ForwardItem& item = job_.items[index];
    const std::uint64_t head_min = upstream::head_needed(item.method, item.params, job_.head_min);
    auto read =
        reads_ == nullptr || item.id.empty() ? std::nullopt : SharedReads::read_of(item.method, item.params);
    if (!read) {
      if (reads_ != nullptr && upstream::repeat_of(item.method) != upstream::Repeat::always) writes_ = true;
      if (reads_ != nullptr && upstream::rewrites_the_past(item.method)) rewrites_ = true;
      to_send_.push_back({.index = index, .read = std::nullopt, .head_min = head_min});
      return;
    }
    if (const auto kept = reads_->kept(*read)) {
      if (item.record != nullptr) item.record->note_cached();
      return put(item, kept->size(),
                 [&](std::string& out) { jsonrpc::append_result(out, item.id, as_text(kept->view())); });
    }
    ++outstanding_;
    read->generation = reads_->generation();
    const auto ticket = reads_->join(
        *read,
        {.head_min = head_min, .caller = job_.caller, .queue_time = queue_time_, .traced = item.record},
        [self = shared_from_this(), index](const upstream::Coalescer::SharedResult& result) {
          self->take(index, *result);
          self->ended();
        });
    if (!ticket) return;
    to_send_.push_back({.index = index, .read = std::move(read), .ticket = *ticket, .head_min = head_min});
  }

  // `attempt` above 0: a node could not answer the call, and another one is tried first.
  void call_one(const Sent& sent, std::uint32_t attempt = 0) {
    ++outstanding_;
    note_write();
    const ForwardItem& item = job_.items[sent.index];
    upstream::CallOptions made = options(upstream::options_for(item.method), sent.head_min);
    made.attempt = attempt;
    if (item.record != nullptr) made.traced = traced({sent});
    auto done = [self = shared_from_this(), sent](upstream::Result result) {
      self->note_shutdown(result);
      self->settle(sent, std::move(result));
      self->note_write();
      self->ended();
    };
    if (reads_ != nullptr && !item.id.empty()) {
      return reads_->steady().call(request_of(sent.index), std::move(made), std::move(done));
    }
    if (!item.id.empty()) made.id = std::to_string(sent.index);
    backend_.call(request_text(item, sent.index), std::move(made), std::move(done));
  }
  SteadyReads::Request request_of(std::size_t index) const {
    const ForwardItem& item = job_.items[index];
    return {.method = item.method, .params = item.params, .id = std::to_string(index)};
  }

  // Ends an item's call, for all waiting callers including this one.
  void settle(const Sent& sent, upstream::Result result) {
    if (sent.read) {
      reads_->finish(sent.ticket, *sent.read, std::move(result));
    } else {
      take(sent.index, result);
    }
  }

  static std::string_view request_id_of(const ForwardItem& item) {
    return item.record == nullptr ? std::string_view() : std::string_view(item.record->id());
  }
  // The calls of a part that somebody records, or null.
  trace::CallsPtr traced(const Part& part) const {
    std::vector<trace::CallPtr> calls;
    for (const Sent& sent : part) {
      if (const auto& record = job_.items[sent.index].record) calls.push_back(record);
    }
    return calls.empty() ? nullptr : std::make_shared<const std::vector<trace::CallPtr>>(std::move(calls));
  }

  void take(std::size_t index, const upstream::Result& result) {
    ForwardItem& item = job_.items[index];
    if (item.id.empty()) return;
    if (!result) return append_failure(item.answer, item.id, result.error(), request_id_of(item));
    put(item, result->body.size(), [&](std::string& out) {
      const auto parts = upstream::answer_of(*result);
      if (!parts || parts->is_notification()) return bad_reply(item);
      if (!parts->error.empty()) return append_node_error(out, item.id, parts->error);
      // Members that a node adds beside its result, perhaps copies of the call's own headers, are not for
      // clients.
      if (!parts->is_plain) return jsonrpc::append_result(out, item.id, parts->result);
      out = jsonrpc::with_new_id(*parts, item.id);
    });
  }

  // Writes an answer of about this size, if there is room for it. Many callers wait for one result, so a lack
  // of memory must not leave this function.
  template <typename Write>
  void put(ForwardItem& item, std::size_t size, Write&& write) {
    if (!job_.room.take_answer(size, item.id, item.answer)) return;
    if (run_guarded("an answer", [&] { write(item.answer); })) return;
    item.answer = {};
    rpc::append_no_memory(item.answer, item.id);
  }

  void call_batch(Part part) {
    std::string text;
    std::vector<std::string_view> methods;
    std::uint64_t head_min = 0;
    for (const Sent& sent : part) {
      text += text.empty() ? '[' : ',';
      text += request_text(job_.items[sent.index], sent.index);
      methods.push_back(job_.items[sent.index].method);
      head_min = std::max(head_min, sent.head_min);
    }
    text += ']';
    ++outstanding_;
    note_write();
    upstream::CallOptions made = options(upstream::options_for_batch(methods), head_min);
    made.traced = traced(part);
    backend_.call(std::move(text), std::move(made),
                  [self = shared_from_this(), part = std::move(part)](const upstream::Result& result) {
                    self->note_shutdown(result);
                    self->take_batch(part, result);
                    self->note_write();
                    self->ended();
                  });
  }

  void take_batch(const Part& part, const upstream::Result& result) {
    if (!result) return batch_failed(part, result);
    const auto answers = jsonrpc::split_responses(result->body);
    std::vector<const jsonrpc::Answer*> answered(job_.items.size());
    if (answers) sort_answers(*answers, answered);
    const bool answers_none =
        std::ranges::all_of(part, [&](const Sent& sent) { return answered[sent.index] == nullptr; });
    if (answers_none) {
      const bool one_error = answers && answers->size() == 1 && !answers->front().error.empty();
      return refused_whole(part, result, one_error ? answers->front().error : std::string_view());
    }
    for (const Sent& sent : part) {
      // An empty body is not an answer, and is reported as such.
      upstream::Reply reply{.member = result->member, .gave_way = result->gave_way};
      if (answered[sent.index] != nullptr) reply.body = answered[sent.index]->raw;
      take_element(sent, std::move(reply), answered[sent.index]);
    }
  }

  // A read without a usable answer, or with an outdated one, is repeated alone.
  void take_element(const Sent& sent, upstream::Reply reply, const jsonrpc::Answer* answer) {
    if (answer != nullptr) note_scan(reply, jsonrpc::answer_in(reply.body, *answer, answer->id));
    const bool reads = upstream::repeat_of(job_.items[sent.index].method) == upstream::Repeat::always;
    const bool is_of_no_use =
        answer == nullptr ||
        (!answer->error.empty() && upstream::judge_error(answer->error) != upstream::NodeError::answer);
    if (reads && is_of_no_use) return call_one(sent, 1);
    upstream::Result result = std::move(reply);
    const bool is_steady = reads_ == nullptr || reads_->steady().accepts(request_of(sent.index), result);
    if (reads && !is_steady) return call_one(sent);
    settle(sent, std::move(result));
  }

  // A node, or a proxy in front of it, may reject the size of a batch or of its answer.
  void batch_failed(const Part& part, const upstream::Result& result) {
    using upstream::FailureKind;
    const FailureKind kind = result.error().kind;
    if (kind != FailureKind::http_status && kind != FailureKind::too_large) {
      for (const Sent& sent : part) settle(sent, result);
      return;
    }
    // After any other failure it is unknown whether the batch was executed.
    const bool is_refusal = result.error().http_status == 413 || result.error().http_status == 400;
    ask_in_parts(part, is_refusal, result);
  }

  // One error for all: if the error says that the batch could not be accepted, nothing of it was executed.
  void refused_whole(const Part& part, const upstream::Result& result, std::string_view error_json) {
    const auto error = jsonrpc::read_error(error_json.empty() ? "{}" : error_json);
    const bool is_refusal = error.code == static_cast<int>(jsonrpc::ErrorCode::invalid_request) ||
                            error.code == static_cast<int>(jsonrpc::ErrorCode::parse_error) ||
                            error.message.contains("batch");
    upstream::Reply whole{.body = {}, .member = result->member};
    if (!error_json.empty()) jsonrpc::append_raw_error(whole.body, "0", error_json);
    ask_in_parts(part, is_refusal, whole);
  }

  // Splits into halves, and in the end single calls. A call that must not be repeated gets `otherwise`,
  // unless it certainly was not executed.
  void ask_in_parts(const Part& part, bool is_refusal, const upstream::Result& otherwise) {
    Part again;
    for (const Sent& sent : part) {
      const bool reads = upstream::repeat_of(job_.items[sent.index].method) == upstream::Repeat::always;
      if (reads || is_refusal) {
        again.push_back(sent);
      } else {
        settle(sent, otherwise);
      }
    }
    if (again.size() <= kOneByOneMax) {
      for (const Sent& sent : again) call_one(sent);
      return;
    }
    const auto middle = again.begin() + static_cast<std::ptrdiff_t>(again.size() / 2);
    call_batch(Part(again.begin(), middle));
    call_batch(Part(middle, again.end()));
  }

  // By our own ids. Of two different ones with the same id, neither counts: one of them may be the answer to another call.
  static void sort_answers(const std::vector<jsonrpc::Answer>& answers,
                           std::vector<const jsonrpc::Answer*>& by_item) {
    std::set<std::size_t> doubtful;
    for (const jsonrpc::Answer& answer : answers) {
      std::size_t index = 0;
      const std::string_view id = upstream::digits_of_id(answer.id);
      const char* end = id.data() + id.size();
      const auto [read, failed] = std::from_chars(id.data(), end, index);
      if (failed != std::errc{} || read != end || index >= by_item.size() || answer.is_notification())
        continue;
      const jsonrpc::Answer* const before = std::exchange(by_item[index], &answer);
      if (before != nullptr && before->raw != answer.raw) doubtful.insert(index);
    }
    for (const std::size_t index : doubtful) by_item[index] = nullptr;
  }

  static void bad_reply(ForwardItem& item) {
    jsonrpc::append_error(item.answer, item.id, jsonrpc::ErrorCode::internal,
                          "the upstream's answer is not JSON-RPC");
  }

  // After a shutdown the network's reads may be gone.
  void note_shutdown(const upstream::Result& result) {
    if (!result && result.error().kind == upstream::FailureKind::shutdown) shut_down_ = true;
  }
  void note_write() {
    if (shut_down_) return;
    if (writes_) reads_->wrote();
    // Before it is sent and after it was answered: reads in between may see either state.
    if (rewrites_) reads_->forget();
  }
  void ended() {
    if (--outstanding_ > 0) return;
    if (reads_ != nullptr && !shut_down_ && reads_->steady().times_back() != times_back_) {
      for (std::size_t i = 0; i < job_.items.size(); ++i) {
        reads_->steady().delivered_late(request_of(i), job_.items[i].answer);
      }
    }
    done_(std::move(job_));
  }

  upstream::Backend& backend_;
  SharedReads* reads_;
  ForwardJob job_;
  UniqueFunction<void(ForwardJob)> done_;
  // The queue time of the parts that wait for a node.
  std::shared_ptr<upstream::QueueTime> queue_time_ = std::make_shared<upstream::QueueTime>();
  std::vector<Sent> to_send_;
  std::size_t outstanding_ = 0;
  std::uint64_t times_back_ = 0;
  bool writes_ = false;
  bool rewrites_ = false;
  bool shut_down_ = false;
};

}  // namespace

void forward(upstream::Backend& backend, SharedReads* reads, ForwardJob job,
             UniqueFunction<void(ForwardJob)> done) {
  std::make_shared<Forwarding>(backend, reads, std::move(job), std::move(done))->start();
}

}  // namespace fanfare::gateway
