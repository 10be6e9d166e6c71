#include <algorithm>
#include <span>
#include <utility>

#include "api/request_parts.h"
#include "http/cookies.h"
#include "http/headers.h"

namespace fanfare {
namespace {

std::string hex_of(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

std::optional<std::string_view> api::RequestParts::query_parameter(std::string_view name) const {
  if (!query_) query_ = http::query_parameters(request.query);
  const auto found = std::ranges::find(*query_, name, &http::Parameter::name);
  if (found == query_->end()) return std::nullopt;
  return found->value;
}

std::span<const HeaderView> api::RequestParts::headers() const {
  if (!headers_) {
    headers_.emplace();
    headers_->reserve(request.headers.size());
    for (const HeaderField& field : request.headers) {
      headers_->push_back({.name = field.name, .value = field.value});
    }
  }
  return *headers_;
}

std::span<const Cookie> api::RequestParts::cookies() const {
  if (!cookies_) {
    cookies_.emplace();
    for (const http::CookiePair& pair : http::cookies_of(request.headers)) {
      cookies_->push_back({.name = pair.name, .value = pair.value});
    }
  }
  return *cookies_;
}

std::string_view Request::method() const {
  return parts_.request.method;
}
std::string_view Request::path() const {
  return parts_.request.path;
}
std::string_view Request::query() const {
  return parts_.request.query;
}
std::string_view Request::parameter(std::string_view name) const {
  for (const http::Parameter& parameter : parts_.parameters) {
    if (parameter.name == name) return parameter.value;
  }
  return {};
}
std::optional<std::string_view> Request::query_parameter(std::string_view name) const {
  return parts_.query_parameter(name);
}
std::optional<std::string_view> Request::header(std::string_view name) const {
  return http::find_header(parts_.request.headers, name);
}
std::span<const HeaderView> Request::headers() const {
  return parts_.headers();
}
std::span<const Cookie> Request::cookies() const {
  return parts_.cookies();
}
std::optional<std::string_view> Request::cookie(std::string_view name) const {
  const auto found = std::ranges::find(parts_.cookies(), name, &Cookie::name);
  if (found == parts_.cookies().end()) return std::nullopt;
  return found->value;
}
std::string_view Request::body() const {
  return as_text(parts_.request.body);
}
std::string Request::peer() const {
  return parts_.session.peer();
}

std::optional<ClientCertificate> Request::client_certificate() const {
  auto shown = parts_.session.peer_certificate();
  if (!shown) return std::nullopt;
  using Time = std::chrono::system_clock::time_point;
  return ClientCertificate{.sha256 = hex_of(shown->sha256),
                           .subject = std::move(shown->subject),
                           .valid_until = std::chrono::time_point_cast<Time::duration>(shown->valid_until)};
}

}  // namespace fanfare
