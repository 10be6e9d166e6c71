#include "gateway/observe/recording.h"

#include <utility>

#include "base/random.h"
#include "trace/request_id.h"
#include "trace/span_name.h"

namespace fanfare::gateway {
namespace {

template <typename Id>
Id make_id() {
  static thread_local SystemRandom random;
  Id id;
  while (!id.is_valid()) random.fill(id.bytes);
  return id;
}

// All values of a header, which may come in several lines.
std::string joined_values(http::Headers headers, std::string_view name) {
  std::string all;
  for (const HeaderField& field : headers) {
    if (!http::equals_ignoring_case(field.name, name)) continue;
    if (!all.empty()) all += ',';
    all += field.value;
  }
  return all;
}

}  // namespace

trace::TraceId Recording::make_trace_id() {
  return make_id<trace::TraceId>();
}
trace::SpanId Recording::make_span_id() {
  return make_id<trace::SpanId>();
}
bool Recording::samples(const trace::TraceId& id) const {
  return trace::is_within(id, plan_.tracing.sample);
}

bool Recording::trusts(std::string_view address) const {
  switch (plan_.trusted) {
    case TrustedClients::none:
      return false;
    case TrustedClients::all:
      return true;
    case TrustedClients::loopback:
      break;
  }
  return address.starts_with("127.") || address.starts_with("[::1]:") || address.starts_with("unix:") ||
         address.starts_with("[::ffff:127.");
}

std::shared_ptr<trace::Request> Recording::begin_request(http::Headers headers, std::string address,
                                                         std::string_view protocol) {
  auto request = std::make_shared<trace::Request>(trace::Request{
      .recorder = shared_from_this(), .id = {}, .address = std::move(address), .protocol = protocol});
  if (trusts(request->address)) {
    const auto id = http::find_header(headers, trace::kRequestIdHeader);
    if (id && trace::is_request_id(*id)) request->id = *id;
    if (const auto parent = http::find_header(headers, "traceparent")) {
      request->parent = trace::parse_trace_parent(*parent);
    }
    if (request->parent) {
      request->parent->state = trace::checked_trace_state(joined_values(headers, "tracestate"));
      if (!plan_.tracing.parent_based && traces())
        request->parent->is_sampled = samples(request->parent->trace);
    }
  }
  if (!request->parent) request->trace = make_trace_id();
  // One id less to look for: a request without an id of its own has that of its trace.
  if (request->id.empty()) {
    request->id = trace::hex_of(request->parent ? make_trace_id() : request->trace);
  }
  return request;
}

bool Recording::is_kept(const AccessRecord& record, std::string_view sampled_by, std::uint64_t index,
                        bool is_error) const {
  const AccessLogPlan& plan = plan_.access_log;
  if (is_error && plan.errors == AccessLogPlan::Errors::all) return true;
  // A session is not slow because it lasts.
  if (plan.slower_than > Duration::zero() && record.took > plan.slower_than &&
      record.kind != AccessRecord::Kind::session) {
    return true;
  }
  return trace::is_within(trace::sample_of(sampled_by, index), plan.sample);
}

void Recording::write(AccessRecord record, std::string_view sampled_by, std::uint64_t index, bool is_error) {
  if (outputs_.lines == nullptr || !is_kept(record, sampled_by, index, is_error)) return;
  record.at = clock_.wall_now();
  outputs_.lines->push(std::move(record));
}

void Recording::call_ended(const trace::Call& call, const trace::CallEnd& end) {
  const Duration took = clock_.now() - call.begun();
  if (outputs_.lines != nullptr) write_call(call, end, took);
  if (outputs_.spans != nullptr && call.context().is_sampled) export_call(call, end, took);
}

void Recording::span_ended(trace::Span span) {
  if (outputs_.spans != nullptr) outputs_.spans->push(std::move(span));
}

void Recording::write_call(const trace::Call& call, const trace::CallEnd& end, Duration took) {
  AccessRecord record{.kind = AccessRecord::Kind::call,
                      .address = call.request().address,
                      .protocol = std::string(call.request().protocol),
                      .place = call.request().place,
                      .principal = call.principal(),
                      .method = call.method(),
                      .error_code = end.error_code,
                      .outcome = end.is_answered ? "" : "dropped",
                      .took = took,
                      .bytes_in = call.bytes_in(),
                      .bytes_out = end.bytes_out,
                      .upstream = call.node(),
                      .attempts = call.attempts(),
                      .cache = call.is_cached()                ? "hit"
                               : call.shared_with() != nullptr ? "shared"
                                                               : "",
                      .request_id = call.id()};
  if (call.context().trace.is_valid()) record.trace_id = trace::hex_of(call.context().trace);
  write(std::move(record), call.request().id, call.index(), end.error_code.has_value() || !end.is_answered);
}

void Recording::export_call(const trace::Call& call, const trace::CallEnd& end, Duration took) {
  trace::Span span{
      .context = call.context(),
      .parent = call.parent(),
      .name = trace::span_name_of(call.method()),
      .kind = trace::SpanKind::server,
      .begun = call.begun_at(),
      .ended = call.begun_at() + took,
      .attributes = {{.key = "rpc.system", .value = std::string("jsonrpc")},
                     {.key = "rpc.jsonrpc.version", .value = std::string("2.0")},
                     {.key = "rpc.method", .value = call.method()},
                     {.key = "network.protocol.name", .value = std::string(call.request().protocol)},
                     {.key = "fanfare.network", .value = call.request().place},
                     {.key = "fanfare.request_id", .value = call.id()}},
      .links = {},
      .error = {}};
  const auto add = [&](std::string_view key, std::string value) {
    if (!value.empty()) span.attributes.push_back({.key = std::string(key), .value = std::move(value)});
  };
  const std::string& address = call.request().address;
  add("client.address", address.substr(0, address.rfind(':')));
  add("enduser.id", call.principal());
  add("fanfare.upstream", call.node());
  if (call.is_cached()) add("fanfare.cache", "hit");
  if (const trace::Call* const other = call.shared_with()) {
    add("fanfare.cache", "shared");
    if (other->recorder().traces())
      span.links.push_back({.trace = other->context().trace, .span = other->context().span});
  }
  if (end.error_code) {
    span.attributes.push_back({.key = "rpc.jsonrpc.error_code", .value = std::int64_t{*end.error_code}});
    add("error.type", std::to_string(*end.error_code));
  }
  if (!end.is_answered) add("error.type", "dropped");
  span.is_error = end.error_code.has_value() || !end.is_answered;
  outputs_.spans->push(std::move(span));
}

}  // namespace fanfare::gateway
