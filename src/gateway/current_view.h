#pragma once
// The view that is served now. Any thread.

#include <mutex>
#include <utility>
#include <vector>

#include "gateway/view.h"

namespace fanfare::gateway {

class CurrentView {
 public:
  // Null: none was set yet.
  ViewPtr get() const {
    const std::scoped_lock lock(mutex_);
    return view_;
  }
  void set(ViewPtr view) {
    const std::scoped_lock lock(mutex_);
    view_ = std::move(view);
  }
  // In the plan's order.
  std::vector<const Network*> networks() const {
    std::vector<const Network*> all;
    const ViewPtr now = get();
    if (now == nullptr) return all;
    for (const LiveNetwork* const live : now->networks) all.push_back(&live->network);
    return all;
  }

 private:
  mutable std::mutex mutex_;  // guards view_
  ViewPtr view_;
};

}  // namespace fanfare::gateway
