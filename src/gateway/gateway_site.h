#pragma once
// A listening port of the gateway on one loop: every request is routed (routes.h) and answered here or handed
// to the service of its network.

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/answer_compressor.h"
#include "gateway/browser_rules.h"
#include "gateway/metrics.h"
#include "gateway/routes.h"
#include "gateway/rpc_service.h"
#include "session/site.h"

namespace fanfare::gateway {

// What all ports of one loop share.
struct LoopServices {
  LoopServices(const AnswerCompression& compression, session::LoopServer& server, CompressionCells& cells)
      : compressor(compression, server, cells) {}

  AnswerCompressor compressor;
  std::vector<std::unique_ptr<RpcService>> networks;  // in the plan's order
};

// What the whole process answers, whoever asks. Any thread.
struct ProcessAnswers {
  std::function<session::HttpResponse(std::string_view query)> ready;
  std::function<std::string()> metrics;
};

// Whom browsers may bring to a listener.
class ListenerRules {
 public:
  ListenerRules(const ServePlan& plan, const ListenerPlan& listener);

  // Of a request for this route.
  const BrowserRules& of(const Route& route) const {
    return route.of_network ? networks_[route.network] : own_;
  }
  // Only programs of this machine, and browsers that run on it, can connect.
  bool on_loopback() const { return on_loopback_; }

 private:
  bool on_loopback_;
  BrowserRules own_;
  std::vector<BrowserRules> networks_;  // in the plan's order
};

class GatewaySite final : public session::Site {
 public:
  // Everything but `rules`, and `services`, which it shares, outlives the site.
  GatewaySite(const ServePlan& plan, Surface surface, ListenerRules rules, const Routes& routes,
              const ProcessAnswers& answers, Metrics& metrics, std::shared_ptr<LoopServices> services);

  void on_request(session::ServerSession& session, const http::Request& request) override;
  session::UpgradeDecision on_upgrade(session::ServerSession& session, const http::Request& request) override;
  void on_refusal(http::Headers headers, session::HttpResponse& response) override;
  void on_answered(int status) override { metrics_.http_answered(status); }
  void on_turn_share_spent() override { metrics_.http_turn_share_spent(); }

 private:
  // The answer to a request with a host that is not served, or of a page that may not ask. It is not carried
  // out.
  std::optional<session::HttpResponse> refuse_foreign(const Route& route, const http::Request& request);
  void count_foreign(const Route& route, RefuseReason of_upgrade, RpcRefusal of_request);
  session::HttpResponse answer_page(const Route& route, const http::Request& request) const;
  session::HttpResponse refusal(const Route& route) const;
  bool is_developer(const Route& route, http::Headers headers) const;
  // What the URL asks for with ?subscriptionIds=shared or =unique, else what is configured. Empty: another
  // word.
  std::optional<eth::IdScope> ids_for(std::string_view query) const;

  Surface surface_;
  ListenerRules rules_;
  const Routes& routes_;
  const ProcessAnswers& answers_;
  Metrics& metrics_;
  std::shared_ptr<LoopServices> services_;
  bool unique_ids_;
  ws::UpgradePolicy upgrades_;
};

}  // namespace fanfare::gateway
