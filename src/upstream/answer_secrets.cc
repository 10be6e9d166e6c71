#include "upstream/answer_secrets.h"

#include <algorithm>
#include <functional>

#include "jsonrpc/response.h"
#include "upstream/url.h"

namespace fanfare::upstream {

std::vector<std::string> secrets_of(std::string_view url,
                                    const std::vector<std::pair<std::string, std::string>>& headers) {
  std::vector<std::string> secrets = secrets_of(url);
  for (const auto& [name, value] : headers) {
    if (value.size() >= kSecretBytesMin) secrets.push_back(value);
    for (std::size_t space = value.find(' '); space != std::string::npos;
         space = value.find(' ', space + 1)) {
      if (value.size() - space - 1 >= kSecretBytesMin) secrets.push_back(value.substr(space + 1));
    }
  }
  // A secret that contains another must be replaced first, or its remainder would stay.
  std::ranges::stable_sort(secrets, std::ranges::greater{}, &std::string::size);
  return secrets;
}

std::string without_secrets_in_errors(std::string answer, const std::vector<std::string>& secrets) {
  if (!answer.contains("\"error\"")) return answer;
  const auto stands_in = [](std::string_view text) {
    return [text](const std::string& secret) { return text.contains(secret); };
  };
  if (std::ranges::none_of(secrets, stands_in(answer))) return answer;
  const auto parts = jsonrpc::split_responses(answer);
  if (!parts) return answer;
  std::string clean;
  std::size_t from = 0;
  for (const jsonrpc::Answer& part : *parts) {
    if (part.error.empty()) continue;
    const auto at = static_cast<std::size_t>(part.raw.data() - answer.data());
    clean.append(answer, from, at - from).append(scrubbed(std::string(part.raw), secrets));
    from = at + part.raw.size();
  }
  return clean.append(answer, from);
}

}  // namespace fanfare::upstream
