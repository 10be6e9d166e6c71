#pragma once
// Who may talk to a port, as far as a browser tells: the name it was asked to reach (Host) and the page that
// asks (Origin). A program that is no browser sends no Origin, and nothing here can stop it; a browser sends
// both truthfully, so a page of a stranger cannot use the browser of a developer to reach a port on loopback.
//
//   Host   "loopback", "*", "node.example", "*.node.example", "10.0.0.7", "[2001:db8::1]"; any port
//   Origin "loopback", "*", "null", "https://app.example", "https://*.app.example", "http://app.example:*"
//
// Pure and immutable: one for each listener and loop, or shared.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace fanfare::server {

// Whom browsers may bring: patterns as above. Empty: the default, which depends on the listener.
struct BrowserOptions {
  std::vector<std::string> hosts;    // names under which the server is reached
  std::vector<std::string> origins;  // pages that may ask

  bool operator==(const BrowserOptions&) const = default;
};

enum class Caller : std::uint8_t {
  program,       // no Origin: not a page
  known_page,    // of loopback, where the rules say "loopback", or of an origin that they name
  unknown_page,  // let in because every page is
  foreign_page,  // to be refused with 403
};

// `localhost`, a name under it, 127.0.0.0/8, ::1, or one of these mapped into IPv6. Without a port; an IPv6
// address in brackets. A dot at the end of a name is ignored.
bool is_loopback_name(std::string_view host);

// Whether a text may stand among the rules; see the patterns above.
bool is_host_pattern(std::string_view text);
bool is_origin_pattern(std::string_view text);
inline constexpr std::string_view kHostPatternExpected =
    "a host name or address without a port, *.NAME, loopback, or \"*\" for any";
inline constexpr std::string_view kOriginPatternExpected =
    "SCHEME://HOST or SCHEME://HOST:PORT without a path, loopback, or \"*\" for any";

class BrowserRules {
 public:
  // What is empty in the options becomes the default: "loopback" where only this machine can connect
  // (`on_loopback`), else "*".
  BrowserRules(const BrowserOptions& options, bool on_loopback);

  // Whether the request names a host that is served here. `target` is the request's, as sent: an absolute one
  // has a host, too (RFC9112§3.2.2). A request without Host (HTTP/1.0) is not a browser's.
  bool serves_host(std::string_view target, http::Headers headers) const;

  // Who asks. Two Origin fields are as bad as a foreign one.
  Caller caller_of(http::Headers headers) const;

  // Access-Control-Allow-Origin for this request. Empty: nothing is allowed, no field is sent.
  std::optional<std::string> allowed_origin(http::Headers headers) const;
  // Every page is let in, so that answers are the same for all: no Vary.
  bool any_origin() const { return any_origin_; }

 private:
  struct HostPattern {
    std::string name;  // lower case; begins with the dot where only names under it fit
    bool with_subnames = false;
  };
  struct OriginPattern {
    std::string scheme;
    HostPattern host;
    std::string port;  // with its colon; empty: the scheme's own; ":*": any
    bool any_host = false;
  };

  bool serves_authority(std::string_view authority) const;
  bool names(std::string_view origin) const;
  static OriginPattern origin_pattern(std::string_view text);
  static bool matches(const HostPattern& pattern, std::string_view host);

  bool any_host_ = false;
  bool loopback_hosts_ = false;
  std::vector<HostPattern> hosts_;
  bool any_origin_ = false;
  bool loopback_origins_ = false;
  bool null_origin_ = false;
  std::vector<OriginPattern> origins_;
};

}  // namespace fanfare::server
