#include "http/render.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string>

#include "http/status.h"

namespace fanfare::http {
namespace {

void append_field(std::string& head, std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_header_value(value)) return;
  head.append(name).append(": ").append(value).append("\r\n");
}

void send(Output& out, const std::string& head, Bytes body) {
  std::uint8_t* const to = out.extend(head.size() + body.size());
  std::ranges::copy(body, std::ranges::copy(as_bytes(head), to).out);
}

// RFC9110§7.6.1: options for this connection only. Empty: no Connection header is needed.
std::string connection_options(int status, Headers headers, const ResponseOptions& options) {
  std::string names;
  if (find_header(headers, "Upgrade")) names = "Upgrade";
  if (status < 200 || (options.keep_alive && options.version_minor == 1)) return names;
  if (!names.empty()) names += ", ";
  return names + (options.keep_alive ? "keep-alive" : "close");
}

std::string head_without_framing(int status, Headers headers, const ResponseOptions& options) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(status_phrase(status)).append("\r\n");
  if (!options.date.empty()) append_field(head, "Date", options.date);
  for (const HeaderField& field : headers) append_field(head, field.name, field.value);
  return head;
}

// Appends the last field and the empty line.
void append_connection(std::string& head, int status, Headers headers, const ResponseOptions& options) {
  if (const std::string names = connection_options(status, headers, options); !names.empty()) {
    append_field(head, "Connection", names);
  }
  head += "\r\n";
}

std::string two_digits(unsigned number) {
  return {static_cast<char>('0' + number / 10 % 10), static_cast<char>('0' + number % 10)};
}

}  // namespace

void render_response(Output& out, int status, Headers headers, Bytes body, ResponseOptions options) {
  std::string head = head_without_framing(status, headers, options);
  if (may_have_body(status)) append_field(head, "Content-Length", std::to_string(body.size()));
  append_connection(head, status, headers, options);
  send(out, head, options.head_only || !may_have_body(status) ? Bytes{} : body);
}

void render_response_head(Output& out, int status, Headers headers, BodyFraming framing, std::uint64_t length,
                          ResponseOptions options) {
  std::string head = head_without_framing(status, headers, options);
  switch (framing) {
    case BodyFraming::counted:
      append_field(head, "Content-Length", std::to_string(length));
      break;
    case BodyFraming::chunked:
      append_field(head, "Transfer-Encoding", "chunked");
      break;
    case BodyFraming::until_the_close:
      break;
  }
  append_connection(head, status, headers, options);
  send(out, head, {});
}

void render_chunk(Output& out, Bytes data) {
  std::array<char, 2 * sizeof(std::size_t) + 2> size{};
  const auto digits = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16);
  std::string_view line(size.data(), static_cast<std::size_t>(digits.ptr - size.data()));
  std::uint8_t* to = out.extend(line.size() + data.size() + 4);
  to = std::ranges::copy(as_bytes(line), to).out;
  to = std::ranges::copy(as_bytes("\r\n"), to).out;
  to = std::ranges::copy(data, to).out;
  std::ranges::copy(as_bytes("\r\n"), to);
}

void render_last_chunk(Output& out) {
  out.append(as_bytes("0\r\n\r\n"));
}

void render_request(Output& out, std::string_view method, std::string_view target, Headers headers,
                    Bytes body) {
  std::string head(method);
  head.append(" ").append(target).append(" HTTP/1.1\r\n");
  for (const HeaderField& field : headers) append_field(head, field.name, field.value);
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    append_field(head, "Content-Length", std::to_string(body.size()));
  }
  head += "\r\n";
  send(out, head, body);
}

void render_continue(Output& out) {
  out.append(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
}

std::string format_date(WallTime now) {
  constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto midnight = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss time(seconds - midnight);
  std::string text(kDays.at(std::chrono::weekday(midnight).c_encoding()));
  text.append(", ").append(two_digits(static_cast<unsigned>(date.day()))).append(" ");
  text.append(kMonths.at(static_cast<unsigned>(date.month()) - 1)).append(" ");
  text.append(std::to_string(static_cast<int>(date.year()))).append(" ");
  text.append(two_digits(static_cast<unsigned>(time.hours().count()))).append(":");
  text.append(two_digits(static_cast<unsigned>(time.minutes().count()))).append(":");
  text.append(two_digits(static_cast<unsigned>(time.seconds().count()))).append(" GMT");
  return text;
}

std::string_view DateText::of(WallTime now) {
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (text_.empty() || second != second_) {
    second_ = second;
    text_ = format_date(second);
  }
  return text_;
}

}  // namespace fanfare::http
