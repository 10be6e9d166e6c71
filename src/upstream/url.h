#pragma once
// URLs of nodes carry secrets: API keys in the path, the query, the user part. This is the only way by which
// a URL may reach a log line, a metric or an error.

#include <string>
#include <string_view>
#include <vector>

namespace fanfare::upstream {

// The URL with scheme, host and port as they are, and "***" for user and password, for the query, and for
// every path segment of more than four characters (short ones, "v2", "rpc", tell endpoints apart and are
// no keys). Never fails: what is not a URL becomes "***".
std::string redacted(std::string_view url);

// The parts of the URL that redacted() hides, longest first.
std::vector<std::string> secrets_of(std::string_view url);

// `text` with every occurrence of a secret replaced by "***": for words that come from elsewhere.
std::string scrubbed(std::string text, const std::vector<std::string>& secrets);

}  // namespace fanfare::upstream
