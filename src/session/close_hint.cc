#include "session/close_hint.h"

#include <algorithm>
#include <charconv>

#include "ws/close_code.h"

namespace fanfare::session {
namespace {

constexpr std::string_view kHint = "try again in ";

}  // namespace

std::string with_close_hint(std::string_view why, std::chrono::seconds wait) {
  std::string reason(why);
  reason += ", ";
  reason += kHint;
  return reason + std::to_string(wait.count()) + " s";
}

std::optional<std::chrono::seconds> close_hint(std::uint16_t code, std::string_view reason) {
  if (code != ws::close_code::service_restart && code != ws::close_code::try_again_later) return std::nullopt;
  const std::size_t at = reason.rfind(kHint);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = reason.substr(at + kHint.size());
  std::uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), seconds);
  const bool is_number = error != std::errc::invalid_argument;
  if (!is_number || !std::string_view(end, rest.data() + rest.size()).starts_with(" s")) return std::nullopt;
  const auto longest = static_cast<std::uint64_t>(kCloseHintMax.count());
  if (error == std::errc::result_out_of_range) seconds = longest;
  return std::chrono::seconds(std::min(seconds, longest));
}

}  // namespace fanfare::session
