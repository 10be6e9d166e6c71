#pragma once
// The nodes that streams poll, as calls to an upstream backend. On the backend's worker thread.

#include <string>

#include "streams/poller.h"
#include "upstream/backend.h"

namespace fanfare::gateway {

// Answers longer than this are not mapped.
inline constexpr std::size_t kStreamAnswerBytesMax = std::size_t{4} << 20;

class StreamNode final : public streams::Node {
 public:
  // The backend must outlive the node.
  explicit StreamNode(upstream::Backend& backend) : backend_(backend) {}

  void call(const streams::CallSpec& call, Done done) override;

 private:
  upstream::Backend& backend_;
};

// Why a call got no result, in words for subscribers. Nothing that the node wrote is in them.
std::string words_for(const upstream::Failure& failure);

}  // namespace fanfare::gateway
