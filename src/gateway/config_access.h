#pragma once
// The key `access` of the configuration: roles, keys, users, tokens and limits. Secrets become hashes while they are
// read, and no message shows one.

#include "gateway/config.h"
#include "gateway/config_fields.h"

namespace fanfare::gateway {

void read_access(const ReadContext& context, const YamlNode& node, AccessConfig& out);

}  // namespace fanfare::gateway
