#pragma once
// The checks of NatsOptions.

#include <string>
#include <string_view>

#include "fanfare/nats.h"

namespace fanfare::relay {

// What is invalid in them; empty: nothing.
std::string problem_with(const NatsOptions& options);
// What cannot be read of their files: certificates, keys, credentials. Reads them.
std::string problem_with_files(const NatsOptions& options);
bool is_server(std::string_view url);
// Whether the connection is encrypted, or some server's URL says so.
bool uses_tls(const NatsOptions& options);

}  // namespace fanfare::relay
