#pragma once
// Why something could not be started, connected or reloaded. Plain data; any thread.

#include <cstdint>
#include <string>

namespace fanfare {

struct Error {
  enum class Kind : std::uint8_t {
    bad_option,   // an option, a route or a URL is invalid
    system,       // the operating system reported an error; system_code is its errno
    tls,          // a certificate, a key or a TLS handshake
    handshake,    // the peer's response to an upgrade violates RFC 6455 §4
    refused,      // the peer answered the upgrade with a status other than 101: http_status
    timeout,      // it took longer than the options allow
    wrong_state,  // started twice
    cancelled,    // by this side: by close(), or by the answer to a connection attempt
  };
  Kind kind = Kind::bad_option;
  std::string message = {};  // one line for people: what was attempted and why it failed
  int system_code = 0;       // with Kind::system
  int http_status = 0;       // with Kind::refused
};

}  // namespace fanfare
