#include "trace/otlp.h"

#include "base/log_format.h"

namespace fanfare::trace {
namespace {

// Bit 0: sampled; bit 8: it is known whether the parent is remote.
constexpr int kSampledFlag = 1;
constexpr int kStatusError = 2;

class Writer {
 public:
  void raw(std::string_view text) { text_ += text; }
  void string(std::string_view text) { log::append_json_text(text_, text); }
  void number(std::int64_t value) { text_ += std::to_string(value); }
  void key(std::string_view name) {
    text_ += '"';
    text_ += name;
    text_ += "\":";
  }
  void quoted(std::string_view name, std::string_view plain) {
    key(name);
    text_ += '"';
    text_ += plain;
    text_ += '"';
  }
  template <typename List, typename Each>
  void list(const List& items, Each&& each) {
    text_ += '[';
    bool is_first = true;
    for (const auto& item : items) {
      if (!is_first) text_ += ',';
      is_first = false;
      each(item);
    }
    text_ += ']';
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void write_attribute(Writer& out, const Attribute& attribute) {
  out.raw("{");
  out.key("key");
  out.string(attribute.key);
  out.raw(",\"value\":{");
  if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    out.key("stringValue");
    out.string(*text);
  } else if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    out.quoted("intValue", std::to_string(*number));
  } else {
    out.key("boolValue");
    out.raw(std::get<bool>(attribute.value) ? "true" : "false");
  }
  out.raw("}}");
}

void write_attributes(Writer& out, const std::vector<Attribute>& attributes) {
  out.key("attributes");
  out.list(attributes, [&](const Attribute& one) { write_attribute(out, one); });
}

void write_link(Writer& out, const Link& link) {
  out.raw("{");
  out.quoted("traceId", hex_of(link.trace));
  out.raw(",");
  out.quoted("spanId", hex_of(link.span));
  out.raw("}");
}

std::string nanoseconds(WallTime time) {
  return std::to_string(time.time_since_epoch().count());
}

void write_span(Writer& out, const Span& span) {
  out.raw("{");
  out.quoted("traceId", hex_of(span.context.trace));
  out.raw(",");
  out.quoted("spanId", hex_of(span.context.span));
  if (!span.context.state.empty()) {
    out.raw(",");
    out.key("traceState");
    out.string(span.context.state);
  }
  if (span.parent.is_valid()) {
    out.raw(",");
    out.quoted("parentSpanId", hex_of(span.parent));
  }
  out.raw(",");
  out.key("flags");
  out.number(span.context.is_sampled ? kSampledFlag : 0);
  out.raw(",");
  out.key("name");
  out.string(span.name);
  out.raw(",");
  out.key("kind");
  out.number(static_cast<int>(span.kind));
  out.raw(",");
  out.quoted("startTimeUnixNano", nanoseconds(span.begun));
  out.raw(",");
  out.quoted("endTimeUnixNano", nanoseconds(span.ended));
  out.raw(",");
  write_attributes(out, span.attributes);
  if (!span.links.empty()) {
    out.raw(",");
    out.key("links");
    out.list(span.links, [&](const Link& link) { write_link(out, link); });
  }
  out.raw(",\"status\":{");
  if (span.is_error) {
    out.key("code");
    out.number(kStatusError);
    if (!span.error.empty()) {
      out.raw(",");
      out.key("message");
      out.string(span.error);
    }
  }
  out.raw("}}");
}

}  // namespace

std::string otlp_json_of(const Resource& resource, std::span<const Span> spans) {
  Writer out;
  out.raw("{\"resourceSpans\":[{\"resource\":{");
  write_attributes(out, resource.attributes);
  out.raw("},\"scopeSpans\":[{\"scope\":{");
  out.key("name");
  out.string(resource.scope_name);
  out.raw(",");
  out.key("version");
  out.string(resource.scope_version);
  out.raw("},");
  out.key("spans");
  out.list(spans, [&](const Span& span) { write_span(out, span); });
  out.raw("}]}]}");
  return out.take();
}

}  // namespace fanfare::trace
