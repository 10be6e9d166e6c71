#pragma once
// Differences between JSON values as RFC 7386 merge patches.

#include <optional>

#include "streams/json.h"

namespace fanfare::streams {

// The patch that turns `from` into `to`: apply_merge_patch(from, patch) == to. Empty: no patch can, because `from` or
// `to` is not an object, or a member becomes null, which a merge patch would remove (RFC7386§1).
std::optional<Json> merge_difference(const Json& from, const Json& to);

// RFC7386§2.
void apply_merge_patch(Json& target, const Json& patch);

}  // namespace fanfare::streams
