#pragma once
// What is wrong with options, told before anything is started with them.

#include <optional>
#include <string>

#include "fanfare/options.h"

namespace fanfare::api {

// The first option that cannot be used, with what it may be: "deflate.level: 1 to 9". Addresses, URLs and
// files are not looked at here.
std::optional<std::string> find_wrong_option(const ServerOptions& options);
std::optional<std::string> find_wrong_option(const ClientOptions& options);

}  // namespace fanfare::api
