#include "streams/merge_patch.h"

#include <algorithm>
#include <utility>

namespace fanfare::streams {
namespace {

// Arrays are replaced as a whole, nulls in them included.
bool has_null_member(const Json& value) {
  if (value.is(Json::Kind::null)) return true;
  return std::ranges::any_of(value.members,
                             [](const JsonMember& member) { return has_null_member(member.value); });
}

}  // namespace

std::optional<Json> merge_difference(const Json& from, const Json& to) {
  if (!from.is(Json::Kind::object) || !to.is(Json::Kind::object)) return std::nullopt;
  Json patch = Json::object();
  for (const JsonMember& member : to.members) {
    const Json* const before = from.find(member.name);
    if (before != nullptr && *before == member.value) continue;
    if (before != nullptr && before->is(Json::Kind::object) && member.value.is(Json::Kind::object)) {
      auto inner = merge_difference(*before, member.value);
      if (!inner) return std::nullopt;
      patch.members.push_back({.name = member.name, .value = *std::move(inner)});
      continue;
    }
    if (has_null_member(member.value)) return std::nullopt;
    patch.members.push_back({.name = member.name, .value = member.value});
  }
  for (const JsonMember& member : from.members) {
    if (to.find(member.name) == nullptr) patch.members.push_back({.name = member.name, .value = {}});
  }
  return patch;
}

void apply_merge_patch(Json& target, const Json& patch) {
  if (!patch.is(Json::Kind::object)) {
    target = patch;
    return;
  }
  if (!target.is(Json::Kind::object)) target = Json::object();
  for (const JsonMember& member : patch.members) {
    if (member.value.is(Json::Kind::null)) {
      std::erase_if(target.members, [&](const JsonMember& one) { return one.name == member.name; });
      continue;
    }
    Json* there = target.find(member.name);
    if (there == nullptr) {
      target.members.push_back({.name = member.name, .value = {}});
      there = &target.members.back().value;
    }
    apply_merge_patch(*there, member.value);
  }
}

}  // namespace fanfare::streams
