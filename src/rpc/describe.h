#pragma once
// What a registry says about itself: for tools an OpenRPC document, for people a text.

#include <optional>
#include <string>
#include <string_view>

#include "rpc/registry.h"

namespace fanfare::rpc {

// An OpenRPC 1.3 document. Members that OpenRPC does not have: "x-permission" of a method or an event, and
// "x-notifications", the events: each has the schema of `value` in the params of its notifications.
std::string open_rpc_document(const Registry& registry);

// Without a method: one line for each, such as "getblockhash height" or "getbalance [account]". Empty: there is
// no such method.
std::optional<std::string> help_text(const Registry& registry, std::string_view method);

}  // namespace fanfare::rpc
