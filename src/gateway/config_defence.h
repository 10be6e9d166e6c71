#pragma once
// server.memory and server.overload of the configuration (docs/defence.md).

#include "gateway/config_fields.h"
#include "gateway/defend/plan.h"

namespace fanfare::gateway {

// The maps at these keys of `server`, if there are any.
void read_defence(const ReadContext& context, const MapFields& server, DefencePlan& out);

}  // namespace fanfare::gateway
