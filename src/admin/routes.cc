#include "admin/routes.h"

namespace fanfare::admin {

// A friend of the API.
struct Routes {
  static constexpr Route kAll[] = {
      {"GET", "/v1/status", "status", "The process: version, load, drain and log level.", "", "", "Status",
       200, &Api::status},
      {"GET", "/v1/connections", "listConnections", "Lists and searches connections, page by page.",
       "limit cursor sort q kind address agent principal service project network stream room behind_min "
       "age_min",
       "", "ConnectionPage", 200, &Api::list_connections},
      {"GET", "/v1/connections/{id}", "showConnection", "One connection.", "", "", "Connection", 200,
       &Api::show_connection},
      {"DELETE", "/v1/connections/{id}", "closeConnection",
       "Closes a connection: a WebSocket with a close code and a reason.", "code reason", "", "Closed", 200,
       &Api::close_connection},
      {"GET", "/v1/networks", "listNetworks", "The networks with their heads and upstreams.", "", "",
       "NetworkList", 200, &Api::list_networks},
      {"GET", "/v1/upstreams", "listUpstreams", "The upstreams of all networks.", "", "", "UpstreamList", 200,
       &Api::list_upstreams},
      {"GET", "/v1/networks/{project}/{chain}/upstreams/{name}", "showUpstream", "One upstream.", "", "",
       "Upstream", 200, &Api::show_upstream},
      {"PUT", "/v1/networks/{project}/{chain}/upstreams/{name}", "switchUpstream",
       "Takes an upstream out of use, or back in.", "", "UpstreamSwitch", "Upstream", 200,
       &Api::switch_upstream},
      {"GET", "/v1/streams", "listStreams", "The streams and whether their nodes can be polled.", "", "",
       "StreamList", 200, &Api::list_streams},
      {"GET", "/v1/rooms", "listRooms", "The rooms of the canvas and whether their files can be written.", "",
       "", "RoomList", 200, &Api::list_rooms},
      {"GET", "/v1/drain", "showDrain", "How far the drain is.", "", "", "Drain", 200, &Api::show_drain},
      {"POST", "/v1/drain", "beginDrain",
       "Reports not ready, refuses new WebSockets and closes the open ones over a time.", "", "DrainBegin",
       "Drain", 202, &Api::begin_drain},
      {"DELETE", "/v1/drain", "endDrain", "Ends the drain: the server accepts WebSockets again.", "", "",
       "Drain", 200, &Api::end_drain},
      {"GET", "/v1/log-level", "showLogLevel", "The level of the log.", "", "", "LogLevel", 200,
       &Api::show_log_level},
      {"PUT", "/v1/log-level", "setLogLevel", "Changes the level of the log until the next restart.", "",
       "LogLevel", "LogLevel", 200, &Api::set_log_level},
      {"GET", "/v1/config", "showConfiguration", "The configuration in effect, without secrets.", "", "",
       "Configuration", 200, &Api::show_configuration},
      {"POST", "/v1/reload", "reload",
       "Reads the configuration again, as SIGHUP does, and reports the result.", "", "", "Reload", 200,
       &Api::reload},
      {"POST", "/v1/upgrade", "upgrade",
       "Replaces the process by one of the program on disk, as SIGUSR2 does, and reports the result.", "", "",
       "Upgrade", 200, &Api::upgrade},
      {"GET", "/v1/openapi.json", "openapi", "This document.", "", "", "OpenApi", 200, &Api::show_openapi},
  };
};

std::span<const Route> routes() {
  return Routes::kAll;
}

}  // namespace fanfare::admin
