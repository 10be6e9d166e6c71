#include "streams/new_entries.h"

#include <algorithm>
#include <utility>

namespace fanfare::streams {

std::size_t NewEntries::keep(Json& value) {
  kept_.clear();
  Json* const list = value.find(spec_.list);
  if (list == nullptr) return 0;
  listed_ = list->items.size();
  std::unordered_set<std::string> in_this_value;
  std::erase_if(list->items, [&](const Json& entry) {
    const Json* const key = entry.find(spec_.key);
    // Without a key nothing but its content identifies it.
    const bool has_key = key != nullptr && !key->is(Json::Kind::null);
    std::string text = has_key ? key->write() : "null:" + entry.write();
    if (seen_.contains(text) || !in_this_value.insert(text).second) return true;
    kept_.push_back(std::move(text));
    return false;
  });
  return list->items.size();
}

void NewEntries::note(const Json& value) {
  Json copy = value;
  keep(copy);
  commit();
}

void NewEntries::commit() {
  for (std::string& key : std::exchange(kept_, {})) {
    const auto [there, added] = seen_.insert(std::move(key));
    if (added) order_.push_back(&*there);
  }
  while (order_.size() > std::max(kKeysMax, listed_)) {
    seen_.erase(seen_.find(*order_.front()));
    order_.pop_front();
  }
}

}  // namespace fanfare::streams
