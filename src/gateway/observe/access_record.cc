#include "gateway/observe/access_record.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/log_line.h"

namespace fanfare::gateway {
namespace {

// Of one value in a line.
constexpr std::size_t kValueBytesMax = 160;
// A key in a path (docs/access.md) is a fourth segment; elsewhere, tokens are longer than names.
constexpr std::size_t kSegmentsShownMax = 3;
constexpr std::size_t kSegmentBytesShownMax = 15;  // keys have at least 16

std::string_view name_of(AccessRecord::Kind kind) {
  switch (kind) {
    case AccessRecord::Kind::request:
      return "request";
    case AccessRecord::Kind::call:
      return "call";
    case AccessRecord::Kind::session:
      return "session";
    case AccessRecord::Kind::dropped:
      break;
  }
  return "dropped";
}

class Line {
 public:
  explicit Line(log::Format format) : is_json_(format == log::Format::json) {
    if (is_json_) text_ += '{';
  }
  // Quoted in JSON; as a value of the log in text.
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    name(key);
    const std::string shown =
        value.size() <= kValueBytesMax ? std::string(value) : log::excerpt(value, kValueBytesMax);
    if (is_json_) {
      log::append_json_text(text_, shown);
    } else {
      log::append_value(text_, shown);
    }
  }
  template <typename Number>
  void number(std::string_view key, Number value) {
    name(key);
    text_ += std::to_string(value);
  }
  template <typename Number>
  void number(std::string_view key, const std::optional<Number>& value) {
    if (value) number(key, *value);
  }
  void bare(std::string_view text) { text_ += text; }
  bool is_json() const { return is_json_; }
  std::string take() {
    text_ += is_json_ ? "}\n" : "\n";
    return std::move(text_);
  }

 private:
  void name(std::string_view key) {
    if (!is_json_) {
      (text_ += ' ').append(key) += '=';
      return;
    }
    if (text_.size() > 1) text_ += ',';
    ((text_ += '"').append(key)).append("\":");
  }

  const bool is_json_;
  std::string text_;
};

std::string time_text(WallTime at) {
  std::string text;
  log::append_time(text, at);
  return text;
}

}  // namespace

std::string shown_path(std::string_view path) {
  path = path.substr(0, path.find('?'));
  if (!path.starts_with('/')) return path == "*" ? "*" : "-";
  std::string shown;
  std::size_t segments = 0;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (++segments > kSegmentsShownMax) {
      if (!segment.empty() || !path.empty()) shown += "/***";
      break;
    }
    (shown += '/').append(segment.size() > kSegmentBytesShownMax ? "***" : segment);
  }
  return shown;
}

std::string access_line_of(const AccessRecord& record, log::Format format) {
  Line line(format);
  if (line.is_json()) {
    line.text("ts", time_text(record.at));
    line.text("kind", name_of(record.kind));
  } else {
    line.bare(time_text(record.at));
    line.bare(" ");
    line.bare(name_of(record.kind));
  }
  if (record.kind == AccessRecord::Kind::dropped) {
    line.number("lines", record.lines);
    return line.take();
  }
  line.text("address", record.address);
  line.text("protocol", record.protocol);
  line.text("network", record.place);
  line.text("principal", record.principal);
  line.text("method", record.method);
  line.text("path", record.path);
  line.number("status", record.status);
  line.number("error_code", record.error_code);
  line.text("outcome", record.outcome);
  line.number("duration_us", std::chrono::duration_cast<std::chrono::microseconds>(record.took).count());
  line.number("bytes_in", record.bytes_in);
  line.number("bytes_out", record.bytes_out);
  line.number("messages_in", record.messages_in);
  line.number("messages_out", record.messages_out);
  line.text("upstream", record.upstream);
  if (record.attempts > 1) line.number("attempts", record.attempts);
  line.text("cache", record.cache);
  line.text("request_id", record.request_id);
  line.text("trace_id", record.trace_id);
  return line.take();
}

}  // namespace fanfare::gateway
