#pragma once
// The token with which a client names its session: `?session=TOKEN` in the URL, or the header Fanfare-Session. It is a secret
// of the client: only digests of it are kept, and no message contains it.

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "access/authenticator.h"
#include "eth/resume_store.h"
#include "gateway/shared_sessions.h"
#include "http/request_parser.h"

namespace fanfare::gateway {

// Also the answer's header: "new" or "resumed".
inline constexpr std::string_view kSessionHeader = "Fanfare-Session";
// The same for clients that cannot read that header: a WebSocket's method. null: the connection continues no session.
inline constexpr std::string_view kSessionMethod = "fanfare_session";
inline constexpr std::size_t kSessionTokenMin = 16;
inline constexpr std::size_t kSessionTokenMax = 128;

using SessionDigest = std::array<std::uint8_t, 32>;

// The digest of the token; empty: the request names none. The error is the text of a 400.
std::expected<std::optional<SessionDigest>, std::string> session_token_of(const http::Request& request);

// Another network, identity or token gives another key. `identity`: empty without access control.
eth::ResumeKey session_key(std::string_view network, std::string_view identity, const SessionDigest& token);

// Whose session it is, for a reload.
struct SessionIdentity {
  access::PrincipalPtr principal;  // null: without access control
  std::string peer;
};

std::string_view words_of(eth::ResumeRefusal refusal);
std::string_view words_of(const SharedSessions::Refused& refused);

}  // namespace fanfare::gateway
