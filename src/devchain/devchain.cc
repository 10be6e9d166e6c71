#include "devchain/devchain.h"

#include <unordered_map>

#include "devchain/chain.h"
#include "devchain/methods.h"

namespace fanfare::devchain {
namespace {

const Method* find_method(std::string_view name) {
  static const auto kTable = [] {
    std::unordered_map<std::string_view, const Method*> table;
    for (const auto& group : {block_methods(), transaction_methods(), state_methods(), fee_methods(),
                              log_methods(), node_methods(), dev_methods()}) {
      for (const Method& method : group) table.emplace(method.name, &method);
    }
    return table;
  }();
  const auto found = kTable.find(name);
  return found == kTable.end() ? nullptr : found->second;
}

std::vector<DevChain::AccountInfo> infos_of(const std::vector<DevAccount>& accounts) {
  std::vector<DevChain::AccountInfo> all;
  for (const DevAccount& account : accounts) {
    all.push_back({.address = hex(account.address), .private_key = hex(account.key)});
  }
  return all;
}

}  // namespace

DevChain::DevChain(const Options& options, WallTime start)
    : chain_(std::make_unique<Chain>(options, start)) {}
DevChain::~DevChain() = default;
DevChain::DevChain(DevChain&&) noexcept = default;
DevChain& DevChain::operator=(DevChain&&) noexcept = default;

void DevChain::advance(Instant now) {
  chain_->advance(now);
}
Instant DevChain::next_due() const {
  return chain_->next_due();
}

std::vector<DevChain::AccountInfo> DevChain::accounts() const {
  return infos_of(chain_->accounts());
}

std::vector<DevChain::AccountInfo> DevChain::accounts_of(const Options& options) {
  return infos_of(user_accounts(options));
}

std::expected<std::string, CallError> DevChain::call(std::string_view method, std::string_view params_json) {
  const Method* found = find_method(method);
  if (found == nullptr) {
    return failure(-32601, "the method " + std::string(method) + " does not exist/is not available");
  }
  Params params(params_json);
  params.at_most(found->params_max);
  FANFARE_PARAMS_OK(params);
  return found->run(*chain_, params);
}

}  // namespace fanfare::devchain
