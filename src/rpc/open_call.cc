#include "rpc/open_call.h"

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "base/log_limiter.h"
#include "jsonrpc/response.h"
#include "rpc/outgoing_text.h"

namespace fanfare::rpc {

void OpenMessage::put(std::size_t index, std::string answer) {
  message_.calls[index].answer = std::move(answer);
  one_is_done();
}

void OpenMessage::one_is_done() {
  if (open_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  // In the order of the calls, so that a batch over its limit is cut at the same call on every transport.
  for (Call& call : message_.calls) {
    if (!is_open(call) || call.id.empty()) continue;
    if (call.answer.empty()) append_no_memory(call.answer, call.id);
    std::string refused;
    if (!message_.room.take_answer(call.answer.size(), call.id, refused)) call.answer = std::move(refused);
  }
  (*post_)(session_, [self = shared_from_this()] {
    if (Done done = std::exchange(self->done_, nullptr)) done(complete_on_loop(std::move(self->message_)));
  });
}

void OpenCall::finish(std::string text) {
  if (message_ == nullptr) {
    text_ = std::move(text);
  } else {
    message_->put(index_, std::move(text));
  }
}

void OpenCall::note_invalid(std::string_view what) const {
  static LogLimiter invalid(log::Level::error, "rpc_answer_invalid");
  invalid.write(
      {{"method", message_ == nullptr ? entry_.name : message_->call(index_).method}, {"what", what}});
}

void OpenCall::succeed(std::string_view result_json) {
  const bool is_fine = id_.empty() || is_sendable(result_json);
  if (is_answered_.exchange(true, std::memory_order_acq_rel)) return;
  if (!is_fine) note_invalid("the result is not JSON in UTF-8");
  std::string text;
  // Without memory for it, the call stays empty, and the message says so.
  if (!id_.empty()) {
    run_guarded("an answer", [&] {
      if (is_fine) return jsonrpc::append_result(text, id_, result_json);
      jsonrpc::append_error(text, id_, jsonrpc::ErrorCode::internal, "");
    });
  }
  finish(std::move(text));
}

void OpenCall::fail(const RpcError& error) {
  if (is_answered_.exchange(true, std::memory_order_acq_rel)) return;
  std::string text;
  if (!id_.empty()) {
    const bool has_data = error.data_json.empty() || is_sendable(error.data_json);
    if (!has_data) note_invalid("the data of the error is not JSON in UTF-8");
    run_guarded("an answer", [&] {
      jsonrpc::append_error(text, id_, static_cast<jsonrpc::ErrorCode>(error.code), to_utf8(error.message),
                            has_data ? std::string_view(error.data_json) : std::string_view());
    });
  }
  finish(std::move(text));
}

}  // namespace fanfare::rpc

namespace fanfare {

namespace {

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [&](const std::string& one) { return one == name || one == "*"; });
}

bool fits(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](std::string_view one) {
    if (one == name) return true;
    return one.ends_with('*') && name.starts_with(one.substr(0, one.size() - 1));
  });
}

}  // namespace

bool RpcIdentity::may(std::string_view permission) const {
  return has(permissions, permission);
}
bool RpcIdentity::may_call(std::string_view method) const {
  return fits(methods, method);
}
bool RpcIdentity::may_subscribe(std::string_view event) const {
  return fits(events, event);
}

std::string_view RpcCall::method() const {
  return context_.entry.name;
}
RpcTransport RpcCall::transport() const {
  return context_.transport == rpc::Transport::http ? RpcTransport::http : RpcTransport::websocket;
}
const RpcIdentity* RpcCall::identity() const {
  return context_.identity;
}
Session* RpcCall::session() const {
  return context_.session;
}
bool RpcCall::is_cancelled() const {
  return context_.call.is_cancelled();
}

RpcAnswer::RpcAnswer(std::shared_ptr<rpc::OpenCall> call) : call_(std::move(call)) {}
RpcAnswer::RpcAnswer(RpcAnswer&&) noexcept = default;
RpcAnswer& RpcAnswer::operator=(RpcAnswer&& other) noexcept {
  RpcAnswer dropped(std::move(*this));
  call_ = std::move(other.call_);
  return *this;
}
RpcAnswer::~RpcAnswer() {
  if (const auto call = std::move(call_)) {
    run_guarded("a call's end", [&] { call->fail({}); });
  }
}
void RpcAnswer::send(const std::string& result_json) && {
  if (const auto call = std::move(call_)) call->succeed(result_json);
}
void RpcAnswer::fail(const RpcError& error) && {
  if (const auto call = std::move(call_)) call->fail(error);
}
bool RpcAnswer::is_cancelled() const {
  return call_ == nullptr || call_->is_cancelled();
}

}  // namespace fanfare
