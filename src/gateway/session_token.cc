#include "gateway/session_token.h"

#include <algorithm>

#include "access/digest.h"
#include "base/header_field.h"
#include "base/header_text.h"
#include "http/target.h"

namespace fanfare::gateway {
namespace {

// RFC3986§2.3: a URL has these unescaped, and so has a header.
bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::expected<void, std::string> check(std::string_view token) {
  if (token.size() < kSessionTokenMin || token.size() > kSessionTokenMax) {
    return std::unexpected("the session's token has " + std::to_string(token.size()) +
                           " characters, expected 16 to 128, such as 32 random hexadecimal digits\n");
  }
  const auto bad = std::ranges::find_if_not(token, is_unreserved);
  if (bad == token.end()) return {};
  return std::unexpected("the session's token has an invalid character at position " +
                         std::to_string(bad - token.begin() + 1) +
                         ", expected letters, digits, '-', '.', '_' and '~'\n");
}

}  // namespace

std::expected<std::optional<SessionDigest>, std::string> session_token_of(const http::Request& request) {
  std::optional<std::string> token;
  const auto add = [&token](std::string_view one) {
    if (token && *token != one) return false;
    token = one;
    return true;
  };
  bool is_one = true;
  for (const http::Parameter& parameter : http::query_parameters(request.query)) {
    if (parameter.name == "session") is_one = add(parameter.value) && is_one;
  }
  for (const HeaderField& field : request.headers) {
    if (equals_ignoring_case(field.name, kSessionHeader)) is_one = add(field.value) && is_one;
  }
  if (!is_one) return std::unexpected("the request names several sessions, expected one token\n");
  if (!token) return std::nullopt;
  if (auto valid = check(*token); !valid) return std::unexpected(std::move(valid.error()));
  return access::sha256(*token);
}

std::string_view words_of(eth::ResumeRefusal refusal) {
  switch (refusal) {
    case eth::ResumeRefusal::off:
      return "sessions are turned off here";
    case eth::ResumeRefusal::total:
      return "this network has reached its limit of sessions";
    case eth::ResumeRefusal::per_owner:
      return "this client has reached its limit of sessions";
  }
  return "";
}

std::string_view words_of(const SharedSessions::Refused& refused) {
  switch (refused.why) {
    case SharedSessions::Refusal::limit:
      return words_of(refused.limit);
    case SharedSessions::Refusal::away:
      return "the sessions of other instances cannot be reached now";
    case SharedSessions::Refusal::unreadable:
      return "this session was stored by a newer version, or is damaged";
  }
  return "";
}

eth::ResumeKey session_key(std::string_view network, std::string_view identity, const SessionDigest& token) {
  const auto text_of = [](std::string_view text) {
    const access::Digest digest = access::sha256(text);
    return std::string(digest.begin(), digest.end());
  };
  // Of fixed length each, so that no two lists give one text.
  return access::sha256(text_of(network) + text_of(identity) + std::string(token.begin(), token.end()));
}

}  // namespace fanfare::gateway
