#include "gateway/readiness.h"

#include <algorithm>

#include "gateway/network_state.h"
#include "http/target.h"

namespace fanfare::gateway {

session::HttpResponse readiness(std::string_view query, const std::vector<const Network*>& all,
                                bool is_draining) {
  std::vector<const Network*> asked;
  for (const http::Parameter& parameter : http::query_parameters(query)) {
    if (parameter.name != "network") continue;
    const auto found =
        std::ranges::find_if(all, [&](const Network* one) { return one->name() == parameter.value; });
    if (found == all.end()) return {.status = 404, .body = "unknown network\n", .headers = {}};
    asked.push_back(*found);
  }
  session::HttpResponse response{.headers = {}};
  if (is_draining) {
    response.status = 503;
    response.body = "shutting down\n";
  }
  for (const Network* network : asked.empty() ? all : asked) {
    const NetworkState state = state_of(*network);
    if (!state.ready) response.status = 503;
    response.body += state.name + " " + state.text + "\n";
  }
  return response;
}

}  // namespace fanfare::gateway
