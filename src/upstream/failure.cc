#include "upstream/failure.h"

namespace fanfare::upstream {

std::string_view to_string(FailureKind kind) {
  switch (kind) {
    case FailureKind::resolve:
      return "resolve";
    case FailureKind::connect:
      return "connect";
    case FailureKind::tls:
      return "tls";
    case FailureKind::timeout:
      return "timeout";
    case FailureKind::closed:
      return "closed";
    case FailureKind::http_status:
      return "http_status";
    case FailureKind::too_large:
      return "too_large";
    case FailureKind::bad_reply:
      return "bad_reply";
    case FailureKind::overloaded:
      return "overloaded";
    case FailureKind::no_room:
      return "no_room";
    case FailureKind::behind:
      return "behind";
    case FailureKind::wrong_chain:
      return "wrong_chain";
    case FailureKind::shutdown:
      return "shutdown";
  }
  return "unknown";
}

bool blames_endpoint(const Failure& failure) {
  switch (failure.kind) {
    case FailureKind::resolve:
    case FailureKind::connect:
    case FailureKind::tls:
    case FailureKind::timeout:
    case FailureKind::closed:
    case FailureKind::bad_reply:
      return true;
    case FailureKind::http_status:
      // 400, 413 and the like concern the request. Rejected keys, wrong paths and limits concern the
      // endpoint: every other call would fail there too.
      return failure.http_status >= 500 || failure.http_status < 400 || failure.http_status == 401 ||
             failure.http_status == 403 || failure.http_status == 404 || failure.http_status == 429;
    case FailureKind::too_large:
    case FailureKind::overloaded:
    case FailureKind::no_room:
    case FailureKind::behind:
    case FailureKind::wrong_chain:
    case FailureKind::shutdown:
      return false;
  }
  return false;
}

}  // namespace fanfare::upstream
