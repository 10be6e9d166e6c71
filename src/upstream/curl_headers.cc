#include "upstream/curl_headers.h"

#include <curl/curl.h>

namespace fanfare::upstream {

curl_slist* headers_with(const curl_slist* common,
                         const std::vector<std::pair<std::string, std::string>>& fields) {
  curl_slist* list = nullptr;
  for (const curl_slist* line = common; line != nullptr; line = line->next) {
    list = curl_slist_append(list, line->data);
  }
  for (const auto& [name, value] : fields) {
    // curl spells a header without a value with a semicolon.
    const std::string line = name + (value.empty() ? ";" : ": " + value);
    list = curl_slist_append(list, line.c_str());
  }
  return list;
}

}  // namespace fanfare::upstream
