#pragma once
// The token buckets of quotas.

#include "base/token_bucket.h"

namespace fanfare::access {

using Bucket = TokenBucket;
using Rate = TokenRate;
using fanfare::kBurstTimeMax;
using fanfare::kDebtTimeMax;
using fanfare::kTokensMax;

}  // namespace fanfare::access
