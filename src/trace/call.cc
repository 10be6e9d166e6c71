#include "trace/call.h"

#include <charconv>

#include "base/guard.h"
#include "base/log.h"
#include "trace/request_id.h"
#include "trace/span_name.h"

namespace fanfare::trace {
namespace {

constexpr std::string_view kGivenUp = "given up";

Context context_of(Request& request, Recorder& recorder, SpanId& parent) {
  if (!recorder.traces()) return request.parent.value_or(Context{});
  Context context;
  if (request.parent) {
    context = *request.parent;
    parent = context.span;
  } else {
    // A WebSocket lives for days: its calls are traces of their own.
    context.trace =
        request.is_websocket() || !request.trace.is_valid() ? recorder.make_trace_id() : request.trace;
    context.is_sampled = recorder.samples(context.trace);
  }
  context.span = recorder.make_span_id();
  return context;
}

// "host:port" in two attributes.
void add_server(std::vector<Attribute>& out, std::string_view authority) {
  if (authority.empty()) return;
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && !authority.ends_with(']');
  std::string_view host = authority.substr(0, has_port ? colon : authority.size());
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  out.push_back({.key = "server.address", .value = std::string(host)});
  if (!has_port) return;
  const std::string_view digits = authority.substr(colon + 1);
  std::int64_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (read.ec == std::errc()) out.push_back({.key = "server.port", .value = port});
}

}  // namespace

Call::Call(std::shared_ptr<Request> request, std::shared_ptr<Recorder> recorder, const About& about)
    : request_(std::move(request)),
      recorder_(std::move(recorder)),
      method_(log::excerpt(about.method, kMethodBytesMax)),
      principal_(about.principal),
      id_(request_->id),
      index_(request_->calls++),
      bytes_in_(about.bytes_in),
      context_(context_of(*request_, *recorder_, parent_)),
      begun_(recorder_->clock().now()),
      begun_at_(recorder_->clock().wall_now()) {
  if (request_->is_websocket()) id_ += "-" + std::to_string(index_ + 1);
}

Call::~Call() {
  if (!has_ended_) end({.is_answered = false});
}

void Call::end(const CallEnd& end) {
  if (std::exchange(has_ended_, true)) return;
  run_guarded("the record of a call", [&] { recorder_->call_ended(*this, end); });
}

CallPtr begin_call(const std::shared_ptr<Request>& request, const Call::About& about) {
  if (request == nullptr) return nullptr;
  auto recorder =
      request->place_of_recorder == nullptr ? request->recorder : request->place_of_recorder->recorder();
  return recorder == nullptr ? nullptr : std::make_shared<Call>(request, std::move(recorder), about);
}

Attempt::Attempt(CallsPtr calls, std::string_view node, std::string_view method)
    : calls_(std::move(calls)), node_(node), method_(log::excerpt(method, kMethodBytesMax)) {
  Recorder& recorder = calls_->front()->recorder();
  context_ = calls_->front()->context();
  if (recorder.traces()) context_.span = recorder.make_span_id();
  begun_ = recorder.clock().now();
  begun_at_ = recorder.clock().wall_now();
  for (const CallPtr& call : *calls_) call->note_attempt();
}

Attempt::~Attempt() {
  if (!has_ended_) end({.failure = kGivenUp, .is_late = true});
}

std::vector<std::pair<std::string, std::string>> Attempt::headers() const {
  std::vector<std::pair<std::string, std::string>> fields;
  if (context_.trace.is_valid()) {
    fields.emplace_back("traceparent", trace_parent_of(context_));
    if (!context_.state.empty()) fields.emplace_back("tracestate", context_.state);
  }
  fields.emplace_back(kRequestIdHeader, calls_->front()->id());
  return fields;
}

void Attempt::set_server(std::string_view authority) {
  server_ = authority;
}

void Attempt::end(const End& end) {
  if (std::exchange(has_ended_, true)) return;
  if (!end.is_late) {
    for (const CallPtr& call : *calls_) call->note_answered_by(node_);
  }
  if (!context_.is_sampled || !calls_->front()->recorder().traces()) return;
  run_guarded("the record of a call", [&] { export_span(end); });
}

void Attempt::export_span(const End& end) {
  const Call& call = *calls_->front();
  Recorder& recorder = call.recorder();
  Span span{.context = context_,
            .parent = call.context().span,
            .name = span_name_of(method_),
            .kind = SpanKind::client,
            .begun = begun_at_,
            .ended = begun_at_ + (recorder.clock().now() - begun_),
            .attributes = {{.key = "rpc.system", .value = std::string("jsonrpc")},
                           {.key = "rpc.jsonrpc.version", .value = std::string("2.0")},
                           {.key = "rpc.method", .value = method_},
                           {.key = "peer.service", .value = node_},
                           {.key = "fanfare.request_id", .value = call.id()}},
            .links = {},
            .error = {}};
  add_server(span.attributes, server_);
  if (end.http_status) {
    span.attributes.push_back({.key = "http.response.status_code", .value = std::int64_t{*end.http_status}});
  }
  if (end.is_late) span.attributes.push_back({.key = "fanfare.late", .value = true});
  if (calls_->size() > 1) {
    span.attributes.push_back(
        {.key = "fanfare.batch_size", .value = static_cast<std::int64_t>(calls_->size())});
  }
  for (std::size_t i = 1; i < calls_->size(); ++i) {
    const Context& other = (*calls_)[i]->context();
    if (other.is_sampled) span.links.push_back({.trace = other.trace, .span = other.span});
  }
  if (!end.failure.empty()) {
    span.is_error = true;
    span.error = end.failure;
    span.attributes.push_back({.key = "error.type", .value = std::string(end.failure)});
  }
  recorder.span_ended(std::move(span));
}

}  // namespace fanfare::trace
