#pragma once
// The reader of a request's body in pieces, as seen by HttpConnection. The connection owns the object, and
// calls and destroys it on the loop's thread.

#include "base/bytes.h"

namespace fanfare::session {

class HttpConnection;

class RequestBody {
 public:
  RequestBody() = default;
  // Destroyed without its last piece: the rest of the body will not come. The client has left, was too slow,
  // exceeded the limit, or the request was answered before.
  virtual ~RequestBody() = default;
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  // The next piece, once for each want_body(). The last one may be empty. Borrowed for the call.
  virtual void on_piece(HttpConnection& connection, Bytes piece, bool last) = 0;
};

}  // namespace fanfare::session
