// The names of resources, and what their end looks like.

#include "size/plan.h"

namespace fanfare::app {

const char* name_of(Resource resource) {
  switch (resource) {
    case Resource::cpu:
      return "CPU";
    case Resource::fan_out:
      return "time to the last subscriber";
    case Resource::memory:
      return "memory";
    case Resource::network:
      return "network";
    case Resource::descriptors:
      return "descriptors";
    case Resource::proxy_ports:
      return "ports of the proxies";
    case Resource::reconnect:
      return "handshakes after the loss of an instance";
    case Resource::deploy:
      return "handshakes of a rolling deploy";
    case Resource::broker:
      return "broker";
  }
  return "";
}

const char* effect_of(Resource resource) {
  switch (resource) {
    case Resource::cpu:
      return "events are late, then new work is refused (overload_began). More cores or instances, or fewer "
             "events.";
    case Resource::fan_out:
      return "the last subscriber gets an event later than planned; none is lost. More cores or instances, "
             "or a longer --fan-out-within.";
    case Resource::memory:
      return "new connections are refused with 503 (memory_level). More memory or instances; TLS in a proxy.";
    case Resource::network:
      return "clients fall behind and are closed with 1013. A faster network, --deflate, or more instances.";
    case Resource::descriptors:
      return "further connections are closed at once (fanfare_connections_refused_total). Raise LimitNOFILE "
             "and fs.nr_open.";
    case Resource::proxy_ports:
      return "proxies answer 503: they cannot connect. More addresses on the proxies, or a balancer of layer "
             "4.";
    case Resource::reconnect:
      return "after a loss, clients wait longer for their connection. More spare instances or cores, or a "
             "longer --reconnect-within.";
    case Resource::deploy:
      return "while an instance is replaced, the others are overloaded. A longer --deploy-spread.";
    case Resource::broker:
      return "relayed events are late. A faster network for the brokers, or several fleets with a broker "
             "each.";
  }
  return "";
}

}  // namespace fanfare::app
