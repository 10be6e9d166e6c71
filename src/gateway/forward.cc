#include "gateway/forward.h"

#include <charconv>
#include <memory>
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
  Forwarding(upstream::Backend& backend, ForwardJob job, std::move_only_function<void(std::string)> done)
      : backend_(backend), job_(std::move(job)), done_(std::move(done)) {}

  void start() {
    for (std::size_t i = 0; i < job_.items.size(); ++i) {
      if (job_.items[i].answer.empty()) open_.push_back(i);
    }
    if (open_.empty()) return finish();
    if (open_.size() == 1) return call_one(open_.front());
    call_batch();
  }

 private:
  upstream::CallOptions options(upstream::CallOptions made) const {
    made.head_min = job_.head_min;
    if (job_.timeout > Duration::zero()) made.timeout = job_.timeout;
    return made;
  }

  void call_one(std::size_t index) {
    ++outstanding_;
    const ForwardItem& item = job_.items[index];
    backend_.call(request_text(item, index), options(upstream::options_for(item.method)),
                  [self = shared_from_this(), index](upstream::Result result) {
                    self->take_one(index, std::move(result));
                    if (--self->outstanding_ == 0) self->finish();
                  });
  }

  void take_one(std::size_t index, upstream::Result result) {
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
    for (const std::size_t index : open_) {
      text += text.empty() ? '[' : ',';
      text += request_text(job_.items[index], index);
      methods.push_back(job_.items[index].method);
    }
    text += ']';
    outstanding_ = 1;
    backend_.call(std::move(text), options(upstream::options_for_batch(methods)),
                  [self = shared_from_this()](upstream::Result result) {
                    self->take_batch(std::move(result));
                    if (--self->outstanding_ == 0) self->finish();
                  });
  }

  void take_batch(upstream::Result result) {
    if (!result) {
      for (const std::size_t index : open_) {
        append_failure(job_.items[index].answer, job_.items[index].id, result.error());
      }
      return;
    }
    const auto answers = jsonrpc::split_responses(result->body);
    if (answers && refused_whole(*answers)) {
      // anvil refuses a whole batch for one element it cannot read; nothing of it was carried out.
      for (const std::size_t index : open_) call_one(index);
      return;
    }
    if (answers) {
      for (const jsonrpc::Answer& answer : *answers) take_answer(answer);
    }
    for (const std::size_t index : open_) {
      ForwardItem& item = job_.items[index];
      if (item.answer.empty() && !item.id.empty()) bad_reply(item);
    }
  }

  static bool refused_whole(const std::vector<jsonrpc::Answer>& answers) {
    if (answers.size() != 1 || answers.front().error.empty()) return false;
    const auto code = jsonrpc::read_error(answers.front().error).code;
    return code == static_cast<int>(jsonrpc::ErrorCode::invalid_request) ||
           code == static_cast<int>(jsonrpc::ErrorCode::parse_error);
  }

  void take_answer(const jsonrpc::Answer& answer) {
    std::size_t index = 0;
    const char* end = answer.id.data() + answer.id.size();
    const auto [read, failed] = std::from_chars(answer.id.data(), end, index);
    if (failed != std::errc{} || read != end || index >= job_.items.size()) return;
    ForwardItem& item = job_.items[index];
    if (item.id.empty() || !item.answer.empty()) return;
    if (!answer.error.empty()) {
      jsonrpc::append_raw_error(item.answer, item.id, answer.error);
    } else {
      jsonrpc::append_result(item.answer, item.id, answer.result);
    }
  }

  static void bad_reply(ForwardItem& item) {
    jsonrpc::append_error(item.answer, item.id, jsonrpc::ErrorCode::internal,
                          "the upstream's answer is not JSON-RPC");
  }

  void finish() { done_(join_answers(job_)); }

  upstream::Backend& backend_;
  ForwardJob job_;
  std::move_only_function<void(std::string)> done_;
  std::vector<std::size_t> open_;  // items to be forwarded
  std::size_t outstanding_ = 0;
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

void forward(upstream::Backend& backend, ForwardJob job, std::move_only_function<void(std::string)> done) {
  std::make_shared<Forwarding>(backend, std::move(job), std::move(done))->start();
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
