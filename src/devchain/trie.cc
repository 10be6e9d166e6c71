#include "devchain/trie.h"

#include <algorithm>
#include <string>
#include <utility>

#include "devchain/keccak.h"
#include "devchain/rlp.h"

namespace fanfare::devchain {

using NodePtr = std::shared_ptr<const TrieNode>;
using Nibbles = std::string;  // one value 0-15 per character

// leaf: no children. extension: one child and a path. branch: sixteen children and perhaps a value.
struct TrieNode {
  Nibbles path;
  Blob value;
  std::vector<NodePtr> children;
  mutable Blob reference;  // the parent's reference to it: its encoding or, from 32 bytes on, its hash

  bool is_leaf() const { return children.empty(); }
  bool is_extension() const { return children.size() == 1; }
};

namespace {

constexpr std::size_t kBranch = 16;

Nibbles nibbles_of(Bytes key) {
  Nibbles path;
  path.reserve(key.size() * 2);
  for (const std::uint8_t byte : key) {
    path += static_cast<char>(byte >> 4);
    path += static_cast<char>(byte & 15);
  }
  return path;
}

std::size_t index_of(char nibble) {
  return static_cast<std::size_t>(nibble);
}

NodePtr make_leaf(Nibbles path, Blob value) {
  auto node = std::make_shared<TrieNode>();
  node->path = std::move(path);
  node->value = std::move(value);
  return node;
}

NodePtr make_extension(Nibbles path, NodePtr child) {
  if (path.empty()) return child;
  auto node = std::make_shared<TrieNode>();
  node->path = std::move(path);
  node->children.push_back(std::move(child));
  return node;
}

// The node at path `prefix` plus the path of `node`, in its only legal form.
NodePtr join(const Nibbles& prefix, const NodePtr& node) {
  if (node->is_leaf()) return make_leaf(prefix + node->path, node->value);
  if (node->is_extension()) return make_extension(prefix + node->path, node->children[0]);
  return make_extension(prefix, node);
}

// Odd flag, leaf flag and the nibbles, packed two a byte ("hex prefix", appendix C).
Blob hex_prefix(const Nibbles& path, bool leaf) {
  const bool odd = path.size() % 2 != 0;
  Blob packed;
  packed.push_back(static_cast<std::uint8_t>((leaf ? 0x20 : 0) | (odd ? 0x10 | path[0] : 0)));
  for (std::size_t at = odd ? 1 : 0; at < path.size(); at += 2) {
    packed.push_back(static_cast<std::uint8_t>((path[at] << 4) | path[at + 1]));
  }
  return packed;
}

const Blob& reference(const TrieNode& node);

Blob encode(const TrieNode& node) {
  Blob payload;
  if (node.is_leaf()) {
    rlp::append_bytes(payload, hex_prefix(node.path, true));
    rlp::append_bytes(payload, node.value);
  } else if (node.is_extension()) {
    rlp::append_bytes(payload, hex_prefix(node.path, false));
    rlp::append_raw(payload, reference(*node.children[0]));
  } else {
    for (const auto& child : node.children) {
      if (child == nullptr) {
        rlp::append_bytes(payload, {});
      } else {
        rlp::append_raw(payload, reference(*child));
      }
    }
    rlp::append_bytes(payload, node.value);
  }
  return rlp::list(payload);
}

const Blob& reference(const TrieNode& node) {
  if (node.reference.empty()) {
    Blob encoded = encode(node);
    if (encoded.size() < sizeof(Hash)) {
      node.reference = std::move(encoded);
    } else {
      rlp::append_bytes(node.reference, keccak(encoded));
    }
  }
  return node.reference;
}

std::size_t common_prefix(const Nibbles& one, const Nibbles& two) {
  return static_cast<std::size_t>(std::ranges::mismatch(one, two).in1 - one.begin());
}

// Attaches the rest of a path below a new branch: its value, or a child.
void hang(TrieNode& branch, const Nibbles& rest, const Blob& value) {
  if (rest.empty()) {
    branch.value = value;
  } else {
    branch.children[index_of(rest[0])] = make_leaf(rest.substr(1), value);
  }
}

NodePtr insert(const NodePtr& node, const Nibbles& path, const Blob& value) {
  if (node == nullptr) return make_leaf(path, value);
  auto changed = std::make_shared<TrieNode>();
  if (node->children.size() == kBranch) {
    changed->children = node->children;
    changed->value = node->value;
    if (path.empty()) {
      changed->value = value;
    } else {
      NodePtr& child = changed->children[index_of(path[0])];
      child = insert(child, path.substr(1), value);
    }
    return changed;
  }
  const std::size_t shared = common_prefix(node->path, path);
  const bool whole = shared == node->path.size();
  if (node->is_leaf() && whole && path.size() == shared) return make_leaf(path, value);
  if (node->is_extension() && whole) {
    return make_extension(node->path, insert(node->children[0], path.substr(shared), value));
  }
  // The paths diverge here: a new branch, with the old node as one side.
  changed->children.resize(kBranch);
  if (node->is_leaf()) {
    hang(*changed, node->path.substr(shared), node->value);
  } else {
    changed->children[index_of(node->path[shared])] =
        make_extension(node->path.substr(shared + 1), node->children[0]);
  }
  hang(*changed, path.substr(shared), value);
  return make_extension(path.substr(0, shared), changed);
}

NodePtr erase(const NodePtr& node, const Nibbles& path) {
  if (node == nullptr) return nullptr;
  if (node->is_leaf()) return node->path == path ? nullptr : node;
  if (node->is_extension()) {
    if (!path.starts_with(node->path)) return node;
    const NodePtr child = erase(node->children[0], path.substr(node->path.size()));
    return child == nullptr ? nullptr : join(node->path, child);
  }
  auto changed = std::make_shared<TrieNode>();
  changed->children = node->children;
  changed->value = node->value;
  if (path.empty()) {
    changed->value.clear();
  } else {
    NodePtr& child = changed->children[index_of(path[0])];
    child = erase(child, path.substr(1));
  }
  // A branch with only one entry must be replaced.
  const auto present = [](const NodePtr& child) { return child != nullptr; };
  const auto left = std::ranges::count_if(changed->children, present);
  if (left == 0) return changed->value.empty() ? nullptr : make_leaf({}, changed->value);
  if (left > 1 || !changed->value.empty()) return changed;
  const auto only = std::ranges::find_if(changed->children, present);
  return join(Nibbles(1, static_cast<char>(only - changed->children.begin())), *only);
}

// Calls visit(node) from the root along the path; returns the node where the path ends, or null.
template <typename Visit>
const TrieNode* walk(const TrieNode* node, const Nibbles& path, Visit&& visit) {
  std::size_t at = 0;
  while (node != nullptr) {
    visit(*node);
    if (node->is_leaf()) return path.compare(at, Nibbles::npos, node->path) == 0 ? node : nullptr;
    if (node->is_extension()) {
      if (path.compare(at, node->path.size(), node->path) != 0) return nullptr;
      at += node->path.size();
      node = node->children[0].get();
    } else {
      if (at == path.size()) return node->value.empty() ? nullptr : node;
      node = node->children[index_of(path[at++])].get();
    }
  }
  return nullptr;
}

}  // namespace

const Hash kEmptyRoot = keccak(Blob{0x80});

void Trie::put(Bytes key, Bytes value) {
  if (value.empty()) {
    root_ = erase(root_, nibbles_of(key));
  } else {
    root_ = insert(root_, nibbles_of(key), Blob(value.begin(), value.end()));
  }
}

std::optional<Bytes> Trie::get(Bytes key) const {
  const TrieNode* node = walk(root_.get(), nibbles_of(key), [](const TrieNode&) {});
  if (node == nullptr) return std::nullopt;
  return Bytes(node->value);
}

Hash Trie::root() const {
  if (root_ == nullptr) return kEmptyRoot;
  const Blob& name = reference(*root_);
  if (name.size() != sizeof(Hash) + 1) return keccak(name);
  Hash hash;
  std::copy(name.begin() + 1, name.end(), hash.begin());
  return hash;
}

std::vector<Blob> Trie::proof(Bytes key) const {
  std::vector<Blob> nodes;
  walk(root_.get(), nibbles_of(key), [&](const TrieNode& node) {
    Blob encoded = encode(node);
    if (nodes.empty() || encoded.size() >= sizeof(Hash)) nodes.push_back(std::move(encoded));
  });
  return nodes;
}

}  // namespace fanfare::devchain
