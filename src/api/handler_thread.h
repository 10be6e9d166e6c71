#pragma once
// Marks threads that call handlers: the loops of a server, a client's thread, or a worker that runs a method. Code on
// such a thread must not wait for a server or client, because it may wait for itself.

namespace fanfare::api {

class HandlerThread {
 public:
  // Marks the calling thread during the lifetime of this object, which must be destroyed on the same thread.
  HandlerThread();
  ~HandlerThread();
  HandlerThread(const HandlerThread&) = delete;
  HandlerThread& operator=(const HandlerThread&) = delete;

  static bool is_here();

 private:
  const bool before_;
};

}  // namespace fanfare::api
