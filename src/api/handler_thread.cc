#include "api/handler_thread.h"

namespace fanfare::api {
namespace {

thread_local bool handlers_run_here = false;

}  // namespace

HandlerThread::HandlerThread() : before_(handlers_run_here) {
  handlers_run_here = true;
}

HandlerThread::~HandlerThread() {
  handlers_run_here = before_;
}

bool HandlerThread::is_here() {
  return handlers_run_here;
}

}  // namespace fanfare::api
