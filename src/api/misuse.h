#pragma once
// A call that cannot be made where it was made: a mistake in the program that no result could report. The
// process ends with a line that names the call, and what to do instead.

#include <string_view>

namespace fanfare::api {

[[noreturn]] void end_for_misuse(std::string_view call, std::string_view instead);

}  // namespace fanfare::api
