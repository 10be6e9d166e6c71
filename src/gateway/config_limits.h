#pragma once
// The limits of a role or of an address, as the key `access` has them.

#include <string_view>

#include "access/quota.h"
#include "gateway/config_fields.h"

namespace fanfare::gateway {

// The map at this key of `parent`, if there is one.
void read_limits(const ReadContext& context, const MapFields& parent, std::string_view key,
                 access::Limits& out);

}  // namespace fanfare::gateway
