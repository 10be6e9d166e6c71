#include "api/handler_thread.h"

#include <utility>

namespace fanfare::api {
namespace {

thread_local bool handlers_run_here = false;

}  // namespace

HandlerThread::HandlerThread() : was_here_(std::exchange(handlers_run_here, true)) {}

HandlerThread::~HandlerThread() {
  handlers_run_here = was_here_;
}

bool HandlerThread::is_here() {
  return handlers_run_here;
}

}  // namespace fanfare::api
