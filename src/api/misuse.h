#pragma once
// A call from an invalid context: a bug in the program that no result could report. The process ends with a
// message that names the call, and what to do instead.

#include <string_view>

namespace fanfare::api {

[[noreturn]] void end_for_misuse(std::string_view call, std::string_view instead);

}  // namespace fanfare::api
