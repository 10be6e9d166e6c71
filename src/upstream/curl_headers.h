#pragma once
// Lists of header fields for curl.

#include <string>
#include <utility>
#include <vector>

struct curl_slist;

namespace fanfare::upstream {

// The lines of `common`, which may be null, and then these fields. The caller frees it (curl_slist_free_all).
curl_slist* headers_with(const curl_slist* common,
                         const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace fanfare::upstream
