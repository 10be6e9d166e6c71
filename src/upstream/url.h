#pragma once
// Node URLs contain secrets: API keys in the path, the query, the user part. Every URL in a log line, a
// metric or an error must pass through these functions.

#include <string>
#include <string_view>
#include <vector>

namespace fanfare::upstream {

// The URL with unchanged scheme, host and port, and with "***" for user and password, for the query, and for
// every path segment of more than four characters. Short segments ("v2", "rpc") distinguish endpoints and are
// no keys. Never fails: a text that is not a URL becomes "***".
std::string redacted(std::string_view url);

// The parts of the URL that redacted() hides, longest first.
std::vector<std::string> secrets_of(std::string_view url);

// `text` with every secret replaced by "***": for text from other parties.
std::string scrubbed(std::string text, const std::vector<std::string>& secrets);

}  // namespace fanfare::upstream
