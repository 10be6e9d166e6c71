#pragma once
// The Merkle-Patricia trie (Yellow Paper, appendix D). It is persistent: a copy costs one pointer, and stays
// unchanged when the other is modified. So every recent block keeps its own state.
//
// Nodes are immutable and shared; each caches its hash, so that a root after k changes costs k paths. One
// thread: the cached hashes are not guarded.

#include <memory>
#include <optional>

#include "devchain/types.h"

namespace fanfare::devchain {

struct TrieNode;

class Trie {
 public:
  // An empty value erases the key.
  void put(Bytes key, Bytes value);
  // Valid until the trie, and every copy that shares the node, is changed or destroyed.
  std::optional<Bytes> get(Bytes key) const;
  Hash root() const;
  bool empty() const { return root_ == nullptr; }
  // The encoded nodes from the root towards `key` that have a hash: a Merkle proof.
  std::vector<Blob> proof(Bytes key) const;

 private:
  std::shared_ptr<const TrieNode> root_;
};

// keccak(rlp("")): the root of an empty trie.
extern const Hash kEmptyRoot;

}  // namespace fanfare::devchain
