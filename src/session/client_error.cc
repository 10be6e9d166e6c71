#include "session/client_error.h"

#include "session/client_options.h"
#include "ws/close_code.h"

namespace fanfare::session {

std::string_view name_of(ClientFailure failure) {
  switch (failure) {
    case ClientFailure::bad_url:
      return "bad_url";
    case ClientFailure::bad_option:
      return "bad_option";
    case ClientFailure::unresolvable:
      return "unresolvable";
    case ClientFailure::connect_failed:
      return "connect_failed";
    case ClientFailure::timed_out:
      return "timed_out";
    case ClientFailure::proxy_refused:
      return "proxy_refused";
    case ClientFailure::tls_failed:
      return "tls_failed";
    case ClientFailure::connection_lost:
      return "connection_lost";
    case ClientFailure::rejected:
      return "rejected";
    case ClientFailure::rule_broken:
      return "rule_broken";
    case ClientFailure::cancelled:
      return "cancelled";
  }
  return "";
}

bool is_worth_retrying(const CloseInfo& info) {
  switch (info.cause) {
    case Cause::pong_timeout:
    case Cause::connection_lost:
    case Cause::slow_consumer:
      return true;
    case Cause::peer_closed:
      switch (info.code) {
        case ws::close_code::going_away:
        case ws::close_code::internal_error:
        case ws::close_code::service_restart:
        case ws::close_code::try_again_later:
        case ws::close_code::bad_gateway:
          return true;
        default:  // the codes are open-ended; other errors would recur
          return false;
      }
    case Cause::we_closed:
    case Cause::rule_broken:
    case Cause::idle_timeout:
    case Cause::shut_down:
      return false;
  }
  return false;
}

bool is_worth_retrying(const ClientError& error) {
  switch (error.failure) {
    case ClientFailure::unresolvable:
    case ClientFailure::connect_failed:
    case ClientFailure::timed_out:
    case ClientFailure::connection_lost:
      return true;
    case ClientFailure::proxy_refused:
    case ClientFailure::rejected:
      // RFC6585§4: 429, too many requests; RFC9110§15.5.9: 408.
      return error.status >= 500 || error.status == 429 || error.status == 408;
    case ClientFailure::bad_url:
    case ClientFailure::bad_option:
    case ClientFailure::tls_failed:
    case ClientFailure::rule_broken:
    case ClientFailure::cancelled:
      return false;
  }
  return false;
}

}  // namespace fanfare::session
