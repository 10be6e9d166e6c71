#pragma once
// Which chain a node claims to be on, and which chain a network is. No I/O.
//
//   chain id configured   it is the truth
//   not configured        the first answer decides, in the order of preference
//   genesis               the first node on the right chain that serves block 0 decides
//
// A genesis is only compared if both are known: a node that has pruned block 0 is judged by its chain id.
// When every node of the network shows the same other genesis, the network was restarted (a development
// chain); the new genesis is then adopted. A chain id never changes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::upstream {

struct ChainClaim {
  std::optional<std::uint64_t> chain_id;  // empty: the node does not answer eth_chainId
  std::string genesis;                    // the hash of block 0 as text; empty: not served

  bool operator==(const ChainClaim&) const = default;
};

// "chain 2", "chain 1 with the genesis 0x12..".
std::string describe(const ChainClaim& claim);

// The `result` of eth_chainId, raw.
std::optional<std::uint64_t> read_chain_id(std::string_view result_json);
// The hash in the `result` of eth_getBlockByNumber("0x0", false), in lower case; empty if there is none.
std::string read_genesis(std::string_view result_json);

class NetworkChain {
 public:
  enum class Verdict : std::uint8_t {
    unknown,  // no decision possible: no claim, or nothing decided yet
    right,
    wrong,
  };
  // The knowledge about one node: its claim, or that its first check has not ended.
  struct Known {
    std::optional<ChainClaim> claim;  // of its last check, if that was answered
    bool asked = false;               // a check has ended, with any result
  };

  explicit NetworkChain(std::optional<std::uint64_t> configured)
      : truth_{.chain_id = configured, .genesis = {}} {}

  // Decides what the claims of all nodes allow, in their order of preference. A node whose first check is in
  // progress makes the later ones wait, unless `waited_enough`. True: something was decided or replaced.
  bool settle(const std::vector<Known>& nodes, bool waited_enough);
  Verdict judge(const Known& node) const;

  // The decisions so far.
  const ChainClaim& truth() const { return truth_; }

 private:
  bool settle_chain_id(const std::vector<Known>& nodes, bool waited_enough);
  bool settle_genesis(const std::vector<Known>& nodes, bool waited_enough);

  ChainClaim truth_;
  bool nobody_says_ = false;  // every node was checked, and none answers eth_chainId
  bool waits_ = true;         // the genesis may still come from a preferred node
};

}  // namespace fanfare::upstream
