#pragma once
// What the names of `access` refer to: each role, project, network and stream must exist, and each name stands once. A role
// that can never match grants nothing, or denies nothing, without a word.

#include "gateway/config.h"
#include "gateway/config_fields.h"

namespace fanfare::gateway {

// `access`: the map that config.access was read from, without an error. Reports at the place of each name.
void check_access_names(const ReadContext& context, const YamlNode& access, const Config& config);

}  // namespace fanfare::gateway
