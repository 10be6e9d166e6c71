#pragma once
// A listening port of the gateway on one loop: every request is routed (routes.h) and answered here or handed
// to the service of its network.

#include <functional>
#include <memory>
#include <vector>

#include "gateway/metrics.h"
#include "gateway/routes.h"
#include "gateway/rpc_service.h"
#include "session/site.h"

namespace fanfare::gateway {

// What all ports of one loop share.
struct LoopServices {
  std::vector<std::unique_ptr<RpcService>> networks;  // in the plan's order
};

// What the whole process answers, whoever asks. Any thread.
struct ProcessAnswers {
  std::function<session::HttpResponse()> ready;
  std::function<std::string()> metrics;
};

class GatewaySite final : public session::Site {
 public:
  // Everything but `services`, which it shares, outlives the site.
  GatewaySite(Surface surface, const Routes& routes, const ProcessAnswers& answers, Metrics& metrics,
              std::shared_ptr<LoopServices> services);

  void on_request(session::ServerSession& session, const http::Request& request) override;
  session::UpgradeDecision on_upgrade(session::ServerSession& session, const http::Request& request) override;
  void on_answered(int status) override { metrics_.http_answered(status); }
  void on_turn_share_spent() override { metrics_.http_turn_share_spent(); }

 private:
  session::HttpResponse refusal(const Route& route) const;

  Surface surface_;
  const Routes& routes_;
  const ProcessAnswers& answers_;
  Metrics& metrics_;
  std::shared_ptr<LoopServices> services_;
};

}  // namespace fanfare::gateway
