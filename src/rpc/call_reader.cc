#include "rpc/call_reader.h"

#include <algorithm>
#include <utility>

#include "access/principal.h"
#include "access/quota.h"
#include "base/check.h"
#include "jsonrpc/response.h"

namespace fanfare::rpc {
namespace {

Duration rest_after(std::size_t bytes, std::size_t not_begun, std::size_t calls) {
  if (bytes < CallReader::kRefusedBytesFree || not_begun == 0) return Duration::zero();
  const auto refused =
      static_cast<double>(bytes) * static_cast<double>(not_begun) / static_cast<double>(calls);
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(refused / double{CallReader::kRefusedBytesPerSecond}));
}

trace::CallPtr begin_record(const Caller& caller, std::string_view method, std::size_t bytes) {
  return trace::begin_call(
      caller.record, {.method = method,
                      .principal = caller.principal == nullptr ? std::string_view()
                                                               : std::string_view(caller.principal->name),
                      .bytes_in = bytes});
}

}  // namespace

Refusal limit_reached(std::string_view limit, Duration retry_after) {
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(retry_after);
  return {.code = jsonrpc::ErrorCode::limit_exceeded,
          .message = "too many " + std::string(limit) + ", try again later",
          .data_json = "{\"retry_after_ms\":" + std::to_string(wait.count()) + "}",
          .retry_after = std::max<Duration>(wait, std::chrono::milliseconds(1))};
}

CallReader::CallReader(const Limits& limits, const Context& context)
    : limits_(limits), context_(context), parser_(limits.parse) {}

void CallReader::set_limits(const Limits& limits) {
  limits_ = limits;
  parser_ = jsonrpc::Parser(limits.parse);
}

bool CallReader::is_long_batch(std::string_view text) {
  if (text.size() <= kBytesAtOnce) return false;
  const std::size_t first = text.find_first_not_of(" \n\r\t");
  return first != std::string_view::npos && text[first] == '[';
}

void CallReader::pay_bytes(const Caller& caller, std::size_t bytes) const {
  if (caller.payer != nullptr) caller.payer->charge_bytes(bytes, context_.loop.now());
}

std::optional<Refusal> CallReader::pay_for_nothing(const Caller& caller, std::size_t cost) const {
  if (caller.payer == nullptr) return std::nullopt;
  const auto exhausted = caller.payer->take_call(cost, context_.loop.now());
  if (!exhausted) return std::nullopt;
  return limit_reached(access::name_of(exhausted->limit), exhausted->retry_after);
}

ReadText CallReader::read(std::string_view text, const Origin& origin, std::shared_ptr<ByteShare> share) {
  const auto parsed = parser_.parse(text);
  if (!parsed) return unreadable(parsed.error(), parser_.elements_read(), text, origin);
  Progress progress = start(text.size(), parsed->batch, std::move(share));
  progress.message.calls.reserve(parsed->requests.size());
  for (const jsonrpc::Request& request : parsed->requests) take(request, origin, progress);
  return finish(std::move(progress), parsed->requests.size(), text, origin);
}

// The calls of a batch that is too long or malformed are paid for, too, as far as they were read.
ReadText CallReader::unreadable(const jsonrpc::Error& error, std::size_t elements, std::string_view text,
                                const Origin& origin) const {
  const auto refused = pay_for_nothing(origin.caller, std::max<std::size_t>(elements, 1));
  pay_bytes(origin.caller, text.size());
  Reply answer;
  if (refused) {
    context_.observer.on_refused(Refused::limit);
    answer.retry_after = refused->retry_after;
    jsonrpc::append_error(answer.text, "null", refused->code, refused->message, refused->data_json);
  } else {
    jsonrpc::append_error(answer.text, "null", error.code, error.message);
  }
  if (origin.caller.record != nullptr) {
    Call unreadable{.id = "null", .answer = answer.text};
    unreadable.record = begin_record(origin.caller, {}, text.size());
    end_record(unreadable);
  }
  return {.message = std::unexpected(std::move(answer)), .rest = rest_after(text.size(), 1, 1)};
}

ReadText CallReader::refuse(std::size_t bytes, const Refusal& refusal) const {
  context_.observer.on_refused(refusal.is_overload ? Refused::overload : Refused::limit);
  Reply answer{.retry_after = refusal.retry_after};
  jsonrpc::append_error(answer.text, "null", refusal.code, refusal.message, refusal.data_json);
  return {.message = std::unexpected(std::move(answer)), .rest = rest_after(bytes, 1, 1)};
}

CallReader::Progress CallReader::start(std::size_t text_bytes, bool batch,
                                       std::shared_ptr<ByteShare> share) const {
  Progress progress;
  progress.message.batch = batch;
  progress.message.room = AnswerRoom(std::move(share), batch ? limits_.batch_answer_bytes_max : 0);
  progress.has_room = progress.message.room.take_request(text_bytes);
  return progress;
}

void CallReader::take(const jsonrpc::Request& request, const Origin& origin, Progress& progress) const {
  Message& message = progress.message;
  context_.observer.on_call(origin.caller.transport);
  Call call{.id = std::string(request.id), .method = {}, .params = {}, .answer = {}};
  call.version_1 = request.is_version_1;
  if (origin.caller.record != nullptr)
    call.record = begin_record(origin.caller, request.method, request.raw.size());
  Begun begun = Begun::answered;
  if (!progress.has_room) {
    context_.observer.on_refused(Refused::memory);
    append_no_memory(call.answer, call.id);
  } else {
    begun = begin(request, origin, progress, call.answer);
  }
  if (begun != Begun::answered) {
    call.method = request.method;
    call.params = request.params;
    call.late = begun == Begun::late;
    ++(call.late ? message.late : message.open);
  } else if (request.is_notification()) {
    end_record(call);
    return;
  }
  message.calls.push_back(std::move(call));
}

Begun CallReader::begin(const jsonrpc::Request& request, const Origin& origin, Progress& progress,
                        std::string& answer) const {
  auto refusal = request.fault.empty() ? context_.methods.refusal(request, origin.caller)
                                       : pay_for_nothing(origin.caller);
  if (refusal || !request.fault.empty()) ++progress.not_begun;
  if (refusal) {
    const bool is_limited = refusal->retry_after > Duration::zero();
    const Refused by_caller = is_limited ? Refused::limit : Refused::method;
    context_.observer.on_refused(refusal->is_overload ? Refused::overload : by_caller);
    if (is_limited) ++progress.limited;
    progress.message.retry_after = std::max(progress.message.retry_after, refusal->retry_after);
    if (!request.is_notification()) {
      jsonrpc::append_error(answer, request.id, refusal->code, refusal->message, refusal->data_json);
    }
    return Begun::answered;
  }
  if (!request.fault.empty()) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::invalid_request, request.fault);
    return Begun::answered;
  }
  return context_.methods.begin(request, origin, progress.message, answer);
}

ReadText CallReader::finish(Progress progress, std::size_t calls, std::string_view text,
                            const Origin& origin) const {
  if (progress.limited < calls) progress.message.retry_after = {};
  pay_bytes(origin.caller, text.size());
  return {.message = std::move(progress.message), .rest = rest_after(text.size(), progress.not_begun, calls)};
}

LongBatch::LongBatch(const CallReader& reader, KeptText text, std::shared_ptr<ByteShare> share)
    : reader_(reader),
      text_(std::move(text)),
      parser_(reader.limits_.parse),
      progress_(reader.start(text_.view().size(), true, std::move(share))) {
  parser_.start(text_.view());
}

std::optional<ReadText> LongBatch::read_on(const Origin& origin, Slice& slice) {
  if (!is_valid_) {
    if (auto failed = check_on(origin, slice)) return failed;
    if (!is_valid_) return std::nullopt;
  }
  return begin_on(origin, slice);
}

std::optional<ReadText> LongBatch::check_on(const Origin& origin, Slice& slice) {
  while (slice.take_step()) {
    const auto step = parser_.step(kElementsAStep);
    if (!step) return reader_.unreadable(step.error(), parser_.elements_read(), text_.view(), origin);
    if (!step->last) continue;
    is_valid_ = true;
    calls_ = parser_.elements_read();
    progress_.message.calls.reserve(calls_);
    parser_.start(text_.view());
    break;
  }
  return std::nullopt;
}

std::optional<ReadText> LongBatch::begin_on(const Origin& origin, Slice& slice) {
  while (slice.take_step()) {
    const auto step = parser_.step(kElementsAStep);
    FANFARE_CHECK(step);
    for (const jsonrpc::Request& request : step->part.requests) reader_.take(request, origin, progress_);
    if (step->last) return reader_.finish(std::move(progress_), calls_, text_.view(), origin);
  }
  return std::nullopt;
}

}  // namespace fanfare::rpc
