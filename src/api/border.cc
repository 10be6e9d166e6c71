#include "api/border.h"

#include <atomic>
#include <exception>

#include "base/log_limiter.h"

namespace fanfare::api {
namespace {

std::atomic<std::uint64_t> exceptions = 0;
constexpr std::size_t kWhatBytes = 256;

void log_exception(std::string_view handler, std::string_view what) {
  static LogLimiter threw(log::Level::error, "handler_threw");
  threw.write({{"handler", handler}, {"what", log::excerpt(what, kWhatBytes)}});
}

}  // namespace

void note_handler_exception(std::string_view handler) noexcept {
  exceptions.fetch_add(1, std::memory_order_relaxed);
  try {
    try {
      throw;
    } catch (const std::exception& thrown) {
      log_exception(handler, thrown.what());
    } catch (...) {
      log_exception(handler, "not a std::exception");
    }
  } catch (...) {  // no memory for a log line
  }
}

std::uint64_t handler_exceptions() {
  return exceptions.load(std::memory_order_relaxed);
}

}  // namespace fanfare::api
