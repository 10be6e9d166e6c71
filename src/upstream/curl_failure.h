#pragma once
// Maps curl's result codes to failures.

#include "upstream/failure.h"

namespace fanfare::upstream {

// `curl_code` is a CURLcode other than CURLE_OK.
FailureKind failure_kind_of(int curl_code);

}  // namespace fanfare::upstream
