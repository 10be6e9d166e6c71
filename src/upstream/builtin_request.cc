#include "upstream/builtin_request.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/bytes.h"
#include "http/headers.h"
#include "upstream/content_decoder.h"
#include "ws/base64.h"

namespace fanfare::upstream {
namespace {

// Fields that this client writes itself, and fields that change how a message is delimited or coded.
constexpr std::array<std::string_view, 8> kOwnFields{"Connection", "Content-Length",  "Transfer-Encoding",
                                                     "Expect",     "Accept-Encoding", "Upgrade",
                                                     "TE",         "Trailer"};

bool has_field(const HttpOptions& options, std::string_view name) {
  return std::ranges::any_of(
      options.headers, [&](const auto& field) { return http::equals_ignoring_case(field.first, name); });
}

}  // namespace

std::string builtin_request_head(const HttpOptions& options, const http::Url& url) {
  std::string head = "POST " + url.target + " HTTP/1.1\r\n";
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(value.empty() ? ":" : ": ").append(value).append("\r\n");
  };
  if (!has_field(options, "Host")) add("Host", url.authority());
  if (!url.user.empty() && !has_field(options, "Authorization")) {
    add("Authorization", "Basic " + ws::base64_encode(as_bytes(url.user + ":" + url.password)));
  }
  if (!has_field(options, "User-Agent")) add("User-Agent", options.user_agent);
  add("Accept-Encoding", kOfferedCodings);
  add("Content-Type", "application/json");
  add("Accept", "application/json");
  for (const auto& [name, value] : options.headers) add(name, value);
  return head + "Content-Length: ";
}

std::optional<std::string> beyond_builtin_client(const HttpOptions& options) {
  if (!options.proxy.empty()) return "a proxy";
  for (const std::string_view name : kOwnFields) {
    if (has_field(options, name)) return "a header \"" + std::string(name) + "\" of the configuration";
  }
  // The text of the error would have the URL, and so its secrets.
  if (!http::parse_url(options.url)) return "a URL that is not as RFC 3986 has it";
  return std::nullopt;
}

}  // namespace fanfare::upstream
