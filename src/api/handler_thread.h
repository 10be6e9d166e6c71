#pragma once
// Whether the calling thread is one that handlers are called on: a loop of a server's, or a client's. Who
// waits there may wait for itself.

namespace fanfare::api {

class HandlerThread {
 public:
  // The calling thread is one from here to the end of this object, which it destroys.
  HandlerThread();
  ~HandlerThread();
  HandlerThread(const HandlerThread&) = delete;
  HandlerThread& operator=(const HandlerThread&) = delete;

  static bool is_here();
};

}  // namespace fanfare::api
