#include "gateway/forward.h"

#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/methods.h"

namespace fanfare::gateway {
namespace {

// What goes to the node has ids of our own, so that whatever the callers chose comes back exactly: nodes are
// not to be trusted with integers past 2^53, and two elements of a batch may bear the same id.
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

  void start() {
    outstanding_ = 1;  // our own, so that nothing ends while we begin
    for (std::size_t i = 0; i < job_.items.size(); ++i) {
      if (job_.items[i].answer.empty()) open(i);
    }
    if (to_send_.size() == 1) call_one(to_send_.front());
    if (to_send_.size() > 1) call_batch();
    ended();
  }

 private:
  // An item that goes to the node in a call of ours, perhaps on behalf of others who ask the same.
  struct Sent {
    std::size_t index = 0;
    std::optional<SharedReads::Read> read;  // empty: it is this caller's alone
    SharedReads::Ticket ticket{};
  };

  upstream::CallOptions options(upstream::CallOptions made) const {
    made.head_min = job_.head_min;
    if (job_.timeout > Duration::zero()) made.timeout = job_.timeout;
    return made;
  }

  // From memory, by somebody's call under way, or by one of ours.
  void open(std::size_t index) {
    ForwardItem& item = job_.items[index];
    auto read =
        reads_ == nullptr || item.id.empty() ? std::nullopt : SharedReads::read_of(item.method, item.params);
    if (!read) {
      if (reads_ != nullptr && upstream::repeat_of(item.method) != upstream::Repeat::always) writes_ = true;
      if (reads_ != nullptr && upstream::rewrites_the_past(item.method)) rewrites_ = true;
      to_send_.push_back({.index = index, .read = std::nullopt});
      return;
    }
    if (const auto kept = reads_->kept(*read)) {
      return jsonrpc::append_result(item.answer, item.id, as_text(kept->view()));
    }
    ++outstanding_;
    read->generation = reads_->generation();
    const auto ticket =
        reads_->join(*read, job_.head_min,
                     [self = shared_from_this(), index](const upstream::Coalescer::SharedResult& result) {
                       self->take(index, *result);
                       self->ended();
                     });
    if (ticket) to_send_.push_back({.index = index, .read = std::move(read), .ticket = *ticket});
  }

  void call_one(const Sent& sent) {
    ++outstanding_;
    note_write();
    const ForwardItem& item = job_.items[sent.index];
    backend_.call(request_text(item, sent.index), options(upstream::options_for(item.method)),
                  [self = shared_from_this(), sent](upstream::Result result) {
                    self->settle(sent, std::move(result));
                    self->note_write();
                    self->ended();
                  });
  }

  // The end of an item's call: for all who wait for it, this caller among them.
  void settle(const Sent& sent, upstream::Result result) {
    if (sent.read) {
      reads_->finish(sent.ticket, *sent.read, std::move(result));
    } else {
      take(sent.index, result);
    }
  }

  void take(std::size_t index, const upstream::Result& result) {
    ForwardItem& item = job_.items[index];
    if (!result) return append_failure(item.answer, item.id, result.error());
    if (item.id.empty()) return;
    auto answer = jsonrpc::replace_id(result->body, item.id);
    // Taken as it is only if it is an answer: the splice alone would let any object with an id through.
    if (answer && jsonrpc::split_response(*answer)) {
      item.answer = std::move(*answer);
    } else {
      bad_reply(item);
    }
  }

  void call_batch() {
    std::string text;
    std::vector<std::string_view> methods;
    for (const Sent& sent : to_send_) {
      text += text.empty() ? '[' : ',';
      text += request_text(job_.items[sent.index], sent.index);
      methods.push_back(job_.items[sent.index].method);
    }
    text += ']';
    ++outstanding_;
    note_write();
    backend_.call(std::move(text), options(upstream::options_for_batch(methods)),
                  [self = shared_from_this()](const upstream::Result& result) {
                    self->take_batch(result);
                    self->note_write();
                    self->ended();
                  });
  }

  void take_batch(const upstream::Result& result) {
    if (!result) {
      for (const Sent& sent : to_send_) settle(sent, result);
      return;
    }
    const auto answers = jsonrpc::split_responses(result->body);
    if (answers && refused_whole(*answers)) {
      // anvil refuses a whole batch for one element it cannot read; nothing of it was carried out.
      for (const Sent& sent : to_send_) call_one(sent);
      return;
    }
    std::vector<std::string_view> by_item(job_.items.size());
    if (answers) sort_answers(*answers, by_item);
    for (const Sent& sent : to_send_) {
      // An empty body is no answer, and is told as that.
      settle(sent, upstream::Reply{.body = std::string(by_item[sent.index]), .member = result->member});
    }
  }

  // By the ids we gave; the first of two counts.
  static void sort_answers(const std::vector<jsonrpc::Answer>& answers,
                           std::vector<std::string_view>& by_item) {
    for (const jsonrpc::Answer& answer : answers) {
      std::size_t index = 0;
      const char* end = answer.id.data() + answer.id.size();
      const auto [read, failed] = std::from_chars(answer.id.data(), end, index);
      if (failed != std::errc{} || read != end || index >= by_item.size()) continue;
      if (by_item[index].empty()) by_item[index] = answer.raw;
    }
  }

  static bool refused_whole(const std::vector<jsonrpc::Answer>& answers) {
    if (answers.size() != 1 || answers.front().error.empty()) return false;
    const auto code = jsonrpc::read_error(answers.front().error).code;
    return code == static_cast<int>(jsonrpc::ErrorCode::invalid_request) ||
           code == static_cast<int>(jsonrpc::ErrorCode::parse_error);
  }

  static void bad_reply(ForwardItem& item) {
    jsonrpc::append_error(item.answer, item.id, jsonrpc::ErrorCode::internal,
                          "the upstream's answer is not JSON-RPC");
  }

  void note_write() {
    if (writes_) reads_->wrote();
    // Before it is sent and after it was answered: what was asked in between may be of either time.
    if (rewrites_) reads_->forget();
  }
  void ended() {
    if (--outstanding_ == 0) done_(std::move(job_));
  }

  upstream::Backend& backend_;
  SharedReads* reads_;
  ForwardJob job_;
  UniqueFunction<void(ForwardJob)> done_;
  std::vector<Sent> to_send_;
  std::size_t outstanding_ = 0;
  bool writes_ = false;
  bool rewrites_ = false;
};

}  // namespace

std::string join_answers(const ForwardJob& job) {
  std::string text;
  for (const ForwardItem& item : job.items) {
    if (item.id.empty() || item.answer.empty()) continue;
    if (job.batch) text += text.empty() ? '[' : ',';
    text += item.answer;
  }
  if (job.batch && !text.empty()) text += ']';
  return text;
}

void forward(upstream::Backend& backend, SharedReads* reads, ForwardJob job,
             UniqueFunction<void(ForwardJob)> done) {
  std::make_shared<Forwarding>(backend, reads, std::move(job), std::move(done))->start();
}

void append_failure(std::string& out, std::string_view id, const upstream::Failure& failure) {
  if (id.empty()) return;
  using upstream::FailureKind;
  jsonrpc::ErrorCode code = jsonrpc::ErrorCode::internal;
  if (failure.kind == FailureKind::timeout) code = jsonrpc::ErrorCode::timeout;
  if (failure.kind == FailureKind::too_large) code = jsonrpc::ErrorCode::response_too_large;
  if (failure.kind == FailureKind::overloaded) code = jsonrpc::ErrorCode::limit_exceeded;
  // A node may say with an HTTP error what it means in JSON-RPC: its own words are worth more than ours.
  if (const auto answer = jsonrpc::split_response(failure.body); answer && !answer->error.empty()) {
    return jsonrpc::append_raw_error(out, id, answer->error);
  }
  jsonrpc::append_error(out, id, code, "upstream: " + failure.message);
}

}  // namespace fanfare::gateway
