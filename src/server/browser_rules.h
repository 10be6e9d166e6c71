#pragma once
// Access rules for browsers: the requested name (Host) and the page that sends the request (Origin). A
// program that is not a browser sends no Origin, and these rules cannot stop it. A browser sends both
// truthfully, so a foreign page cannot use a developer's browser to reach a port on loopback.
//
//   Host   "loopback", "*", "node.example", "*.node.example", "10.0.0.7", "[2001:db8::1]"; any port
//   Origin "loopback", "*", "null", "https://app.example", "https://*.app.example", "http://app.example:*"
//
// Pure and immutable: may be shared, or copied for each listener and loop.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace fanfare::server {

// What the operator has to change, for the text of a 403. Static.
struct BrowserSettingNames {
  std::string_view hosts = "allowed_hosts";  // the options of a program
  std::string_view origins = "allowed_origins";

  bool operator==(const BrowserSettingNames&) const = default;
};

// The allowed hosts and origins: patterns as above. Empty: the default, which depends on the listener.
struct BrowserOptions {
  std::vector<std::string> hosts;    // names under which the server is reached
  std::vector<std::string> origins;  // pages that may send requests
  BrowserSettingNames names = {};

  bool operator==(const BrowserOptions&) const = default;
};

enum class Caller : std::uint8_t {
  program,       // no Origin: not a web page
  known_page,    // a loopback origin, if the rules contain "loopback", or an origin that they name
  unknown_page,  // allowed because every page is
  foreign_page,  // to be refused with 403
};

// Whether `host` is `localhost`, a name under it, 127.0.0.0/8, ::1, or one of these mapped into IPv6. `host`
// has no port; an IPv6 address is in brackets. A dot at the end of a name is ignored.
bool is_loopback_name(std::string_view host);

// Whether a text is a valid pattern, as described above.
bool is_host_pattern(std::string_view text);
bool is_origin_pattern(std::string_view text);
inline constexpr std::string_view kHostPatternExpected =
    "a host name or address without a port, *.NAME, loopback, or \"*\" for any";
inline constexpr std::string_view kOriginPatternExpected =
    "SCHEME://HOST or SCHEME://HOST:PORT without a path, loopback, or \"*\" for any";

class BrowserRules {
 public:
  // Empty options become the default: "loopback" if only this machine can connect (`on_loopback`), else "*".
  BrowserRules(const BrowserOptions& options, bool on_loopback);

  // Whether the request names a host that is served here. `target` is the request target as sent: an absolute
  // one contains a host, too (RFC9112§3.2.2). A request without Host (HTTP/1.0) does not come from a browser.
  bool serves_host(std::string_view target, http::Headers headers) const;

  // The kind of caller. Two Origin fields count as a foreign page.
  Caller caller_of(http::Headers headers) const;

  // Access-Control-Allow-Origin for this request. Empty: not allowed, so the field is not sent.
  std::optional<std::string> allowed_origin(http::Headers headers) const;
  // Every page is allowed, so answers do not depend on the origin and need no Vary.
  bool any_origin() const { return any_origin_; }
  const BrowserSettingNames& setting_names() const { return setting_names_; }

 private:
  struct HostPattern {
    std::string name;  // lower case; begins with a dot if only its subdomains match
    bool with_subnames = false;
  };
  struct OriginPattern {
    std::string scheme;
    HostPattern host;
    std::string port;  // with its colon; empty: the scheme's default; ":*": any
    bool any_host = false;
  };

  bool serves_authority(std::string_view authority) const;
  bool names(std::string_view origin) const;
  static OriginPattern origin_pattern(std::string_view text);
  static bool matches(const HostPattern& pattern, std::string_view host);

  BrowserSettingNames setting_names_;
  bool any_host_ = false;
  bool loopback_hosts_ = false;
  std::vector<HostPattern> hosts_;
  bool any_origin_ = false;
  bool loopback_origins_ = false;
  bool null_origin_ = false;
  std::vector<OriginPattern> origins_;
};

}  // namespace fanfare::server
