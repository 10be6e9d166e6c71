// Validation of an endpoint's options.

#include <curl/curl.h>

#include <optional>
#include <string>
#include <string_view>

#include "upstream/builtin_request.h"
#include "upstream/http_node.h"

namespace fanfare::upstream {
namespace {

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n\0", 0, 3) != std::string_view::npos;
}

}  // namespace

std::optional<std::string> problem_with(const HttpOptions& options) {
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://")) {
    return "an upstream URL starts with http:// or https://";
  }
  CURLU* parsed = curl_url();
  const CURLUcode code = curl_url_set(parsed, CURLUPART_URL, options.url.c_str(), 0);
  curl_url_cleanup(parsed);
  if (code != CURLUE_OK) return std::string("not a URL: ") + curl_url_strerror(code);
  for (const auto& [name, value] : options.headers) {
    if (name.empty() || has_line_break(name) || has_line_break(value) ||
        name.find(':') != std::string::npos) {
      return "a header name or value is empty or breaks the line";
    }
  }
  if (has_line_break(options.user_agent)) return "the user agent breaks the line";
  if (options.connections_max == 0) return "connections_max is at least 1";
  if (const auto lacking = lacking_for_builtin(options))
    return "the built-in client does not support " + *lacking;
  return std::nullopt;
}

std::optional<std::string> lacking_for_builtin(const HttpOptions& options) {
  if (options.client != HttpClientChoice::builtin) return std::nullopt;
  return beyond_builtin_client(options);
}

HttpClientDecision decide_client(const HttpOptions& options) {
  if (options.client != HttpClientChoice::automatic)
    return {.client = options.client, .reason = "configured"};
  if (const auto lacking = beyond_builtin_client(options))
    return {.client = HttpClientChoice::libcurl,
            .reason = "the built-in client does not support " + *lacking};
  return {.client = HttpClientChoice::builtin, .reason = "the default"};
}

}  // namespace fanfare::upstream
