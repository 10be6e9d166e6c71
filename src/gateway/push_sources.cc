#include "gateway/push_sources.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::gateway {

void PushSources::listen() {
  for (std::size_t i = 0; i < sources_.size(); ++i) listen_to(i);
  want_pending(pending_wanted_);
}

void PushSources::listen_to(std::size_t index) {
  // A node that was replaced exists until its calls have ended.
  const auto is_present = [this, made = serial_] { return made == serial_; };
  upstream::WebSocketNode& node = *sources_[index].node;
  node.set_watcher({.changed =
                        [this, index, is_present](upstream::NodeTopic topic, bool live) {
                          if (!is_present()) return;
                          Source& source = sources_[index];
                          (topic == upstream::NodeTopic::new_heads ? source.heads : source.pending) = live;
                          if (!worker_.stopping()) changed(topic);
                        },
                    .event =
                        [this, index, is_present](upstream::NodeTopic topic, std::string_view result) {
                          if (!is_present() || !callbacks_.is_trusted(sources_[index].member)) return;
                          if (topic == upstream::NodeTopic::new_heads) {
                            callbacks_.head(sources_[index].member, result);
                          } else if (const auto hash = jsonrpc::string_value(result)) {
                            callbacks_.pending(*hash);
                          }
                        },
                    .flooding_changed =
                        [this, is_present] {
                          if (is_present() && !worker_.stopping()) callbacks_.flooding_changed();
                        }});
  node.watch(upstream::NodeTopic::new_heads, true);
}

void PushSources::changed(upstream::NodeTopic topic) {
  const bool heads = topic == upstream::NodeTopic::new_heads;
  const bool any = std::ranges::any_of(sources_, [&](const Source& source) {
    return (heads ? source.heads : source.pending) && callbacks_.is_trusted(source.member);
  });
  if (!heads) return callbacks_.pending_pushed(any);
  if (std::exchange(heads_told_, any) && !any) callbacks_.heads_lost();
}

void PushSources::trust_changed() {
  changed(upstream::NodeTopic::new_heads);
  changed(upstream::NodeTopic::pending_hashes);
}

void PushSources::replace() {
  ++serial_;
  sources_.clear();
  for (const auto& [member, hints] : std::exchange(hints_, {})) {
    if (hints->is_live()) callbacks_.hints_changed(member, false);
  }
}

void PushSources::add_hints(upstream::HintOptions options, std::size_t member) {
  hints_[member] = std::make_unique<upstream::HintConnection>(
      worker_, std::move(options),
      upstream::HintConnection::Callbacks{.changed =
                                              [this, member](bool live) {
                                                if (!worker_.stopping())
                                                  callbacks_.hints_changed(member, live);
                                              },
                                          .head =
                                              [this, member](std::string_view header) {
                                                if (callbacks_.is_trusted(member))
                                                  callbacks_.hint(member, header);
                                              }});
}

void PushSources::give_up_hints(std::size_t member) {
  const auto found = hints_.find(member);
  if (found != hints_.end()) found->second->give_up("HTTP does not confirm the blocks that it announces");
}

void PushSources::set_hints_of_use(std::size_t member, bool of_use) {
  const auto found = hints_.find(member);
  if (found != hints_.end()) found->second->set_of_use(of_use);
}

std::string PushSources::hints_of(std::size_t member) const {
  const auto found = hints_.find(member);
  return found == hints_.end() ? std::string() : found->second->description();
}

void PushSources::want_pending(bool wanted) {
  pending_wanted_ = wanted;
  for (const Source& source : sources_) source.node->watch(upstream::NodeTopic::pending_hashes, wanted);
}

void PushSources::append_unused(std::string& text) const {
  for (const Source& source : sources_) {
    if (source.node->flooding().empty()) continue;
    text.append(text.empty() ? "" : "; ").append(source.node->name()).append(" is not used: ");
    text += source.node->flooding();
  }
}

}  // namespace fanfare::gateway
