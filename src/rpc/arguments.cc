#include "rpc/arguments.h"

#include <algorithm>
#include <string>
#include <utility>

#include "jsonrpc/error.h"
#include "jsonrpc/scan.h"
#include "jsonrpc/value.h"

namespace fanfare::rpc {
namespace {

using Found = std::vector<std::optional<std::string_view>>;

// The maximum length of a caller's word in an error.
constexpr std::size_t kNameShown = 64;

Unexpected<RpcError> wrong(std::string message) {
  return rpc_error(static_cast<int>(jsonrpc::ErrorCode::invalid_params), std::move(message));
}

// Cut where no character of UTF-8 is torn.
std::string shown(std::string_view name) {
  if (name.size() <= kNameShown) return std::string(name);
  std::size_t end = kNameShown;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
  return std::string(name.substr(0, end)) + "...";
}

Expected<Found, RpcError> by_position(const std::vector<Parameter>& parameters, std::string_view array) {
  Found found(parameters.size());
  std::size_t index = 0;
  for (const std::string_view element : jsonrpc::array_elements(array)) {
    if (index == parameters.size()) {
      return wrong("too many parameters: at most " + std::to_string(parameters.size()));
    }
    found[index++] = element;
  }
  return found;
}

Expected<Found, RpcError> by_name(const std::vector<Parameter>& parameters, std::string_view object) {
  Found found(parameters.size());
  for (const jsonrpc::Member& member : jsonrpc::object_members(object)) {
    std::string name(member.name);
    if (member.name_escaped) {
      name.clear();
      jsonrpc::append_unescaped(name, member.name);
    }
    const auto parameter = std::ranges::find(parameters, name, &Parameter::name);
    if (parameter == parameters.end()) return wrong("unknown parameter " + shown(name));
    auto& slot = found[static_cast<std::size_t>(parameter - parameters.begin())];
    if (slot) return wrong("the parameter " + name + " is given twice");
    slot = member.value;
  }
  return found;
}

}  // namespace

RpcError wrong_parameter(const std::string& name, std::string_view expected) {
  return {.code = static_cast<int>(jsonrpc::ErrorCode::invalid_params),
          .message = "the parameter " + name + " must be " + std::string(expected)};
}

Expected<Found, RpcError> find_arguments(const std::vector<Parameter>& parameters,
                                         std::string_view params_json) {
  const bool is_object = jsonrpc::kind_of(params_json) == jsonrpc::Kind::object;
  auto found = is_object ? by_name(parameters, params_json) : by_position(parameters, params_json);
  if (!found) return found;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    auto& value = (*found)[i];
    if (value && *value == "null") value.reset();
    if (!value && parameters[i].required) {
      return wrong("the parameter " + parameters[i].name + " is missing");
    }
  }
  return found;
}

}  // namespace fanfare::rpc
