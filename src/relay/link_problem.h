#pragma once
// Why the broker cannot be used, in a sentence for the operator: what is wrong, and what to do. No I/O.

#include <cstdint>
#include <string>

#include "fanfare/nats.h"

namespace fanfare::relay {

struct LinkProblem {
  enum class Kind : std::uint8_t {
    unreachable,    // nobody answers there
    broken_off,     // somebody answers, and ends the connection
    credentials,    // the broker refuses who this is
    certificate,    // the TLS handshake failed
    needs_tls,      // the broker accepts encrypted connections only
    has_no_tls,     // the broker has no TLS, and this instance wants it
    not_permitted,  // the connection is there, but the user has too few rights
    no_jet_stream,  // the broker stores nothing
  };
  Kind kind = Kind::unreachable;
  std::string words;  // of the broker or the library
};

// The subject to which the broker does not permit to subscribe, or not any more. Empty: the problem is another one.
std::string refused_subscription(const LinkProblem& problem);

// Names the user or the credentials file, never a secret.
std::string sentence_for(const LinkProblem& problem, const NatsOptions& options);

}  // namespace fanfare::relay
