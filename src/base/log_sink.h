#pragma once
// Lines of the log for somebody else than standard error.

#include <functional>
#include <string_view>

#include "base/log.h"

namespace fanfare::log {

// `more` follows `fields`. Called on the thread that logs, by several at once. For what it throws, and for
// lines that are logged within it, the line goes to standard error.
using Sink = std::function<void(Level level, std::string_view event, Fields fields, Fields more)>;

// Empty: standard error again. When it returns, the earlier sink is not running any more. Any thread, but not
// within a sink.
void set_sink(Sink sink);
// Whether this is called within a sink.
bool in_sink();

}  // namespace fanfare::log
