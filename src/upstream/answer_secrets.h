#pragma once
// What of an upstream's configuration must not come back to clients: some nodes and proxies repeat the key,
// the header or the address that they were called with in the text of an error.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fanfare::upstream {

// Those of the URL (url.h), the values of the headers, and the parts of a value behind a space ("Bearer
// TOKEN"). Longest first. Values of fewer than kSecretBytesMin bytes are left out: they would be found
// everywhere.
inline constexpr std::size_t kSecretBytesMin = 5;
std::vector<std::string> secrets_of(std::string_view url,
                                    const std::vector<std::pair<std::string, std::string>>& headers);

// A JSON-RPC answer, or an array of them, with the secrets in its errors replaced by "***". Results are left
// as they are. Cheap where there is no error or no secret in it.
std::string without_secrets_in_errors(std::string answer, const std::vector<std::string>& secrets);

}  // namespace fanfare::upstream
