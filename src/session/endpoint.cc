#include "session/endpoint.h"

namespace fanfare::session {

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::peer_closed:
      return "peer_closed";
    case Cause::we_closed:
      return "we_closed";
    case Cause::rule_broken:
      return "rule_broken";
    case Cause::slow_consumer:
      return "slow_consumer";
    case Cause::pong_timeout:
      return "pong_timeout";
    case Cause::idle_timeout:
      return "idle_timeout";
    case Cause::connection_lost:
      return "connection_lost";
    case Cause::shut_down:
      return "shut_down";
  }
  return "";
}

}  // namespace fanfare::session
