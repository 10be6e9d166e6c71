#pragma once
// The Merkle-Patricia trie (Yellow Paper, appendix D), persistent: a copy costs one pointer and keeps seeing
// what it saw, while the other is changed. That is how every recent block keeps its own state.
//
// Nodes are immutable and shared; each remembers its hash, so that a root after k changes costs k paths.
// One thread: the remembered hashes are not guarded.

#include <memory>
#include <optional>

#include "devchain/types.h"

namespace fanfare::devchain {

struct TrieNode;

class Trie {
 public:
  // An empty value erases the key.
  void put(Bytes key, Bytes value);
  // Good until the trie, and every copy that shares the node, has changed or gone.
  std::optional<Bytes> get(Bytes key) const;
  Hash root() const;
  bool empty() const { return root_ == nullptr; }
  // The encoded nodes from the root towards `key`, those that are hashed: a Merkle proof.
  std::vector<Blob> proof(Bytes key) const;

 private:
  std::shared_ptr<const TrieNode> root_;
};

// keccak(rlp("")): the root of a trie with nothing in it.
extern const Hash kEmptyRoot;

}  // namespace fanfare::devchain
