#pragma once
// Secrets of an upstream's configuration that must not reach clients: some nodes and proxies repeat the key,
// header or address of a request in an error text.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fanfare::upstream {

// The secrets of the URL (url.h), the values of the headers, and the parts of a value after a space ("Bearer
// TOKEN"). Longest first. Values shorter than kSecretBytesMin are left out: they would match everywhere.
inline constexpr std::size_t kSecretBytesMin = 5;
std::vector<std::string> secrets_of(std::string_view url,
                                    const std::vector<std::pair<std::string, std::string>>& headers);

// A JSON-RPC answer, or an array of them, with the secrets in its errors replaced by "***". Results stay
// unchanged. Cheap if it contains no error or no secret.
std::string without_secrets_in_errors(std::string answer, const std::vector<std::string>& secrets);

}  // namespace fanfare::upstream
