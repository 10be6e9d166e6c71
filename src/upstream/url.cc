#include "upstream/url.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>

#include "base/uri.h"

namespace fanfare::upstream {
namespace {

constexpr std::string_view kHidden = "***";
constexpr std::size_t kSegmentShownMax = 4;

// Empty if there is no scheme or no host: secrets cannot be recognized then.
std::optional<UriParts> split(std::string_view url) {
  auto parts = split_uri(url);
  return parts && !parts->authority.empty() ? parts : std::nullopt;
}

template <typename Each>
void each_segment(std::string_view path, Each&& each) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const std::size_t end = std::min(path.find('/'), path.size());
    each(path.substr(0, end));
    path.remove_prefix(end);
  }
}

}  // namespace

std::string redacted(std::string_view url) {
  const auto parts = split(url);
  if (!parts) return std::string(kHidden);
  std::string shown(parts->scheme);
  shown.append("://");
  if (parts->has_user) shown.append(kHidden).append("@");
  shown.append(parts->authority);
  each_segment(parts->path, [&](std::string_view segment) {
    shown.append("/").append(segment.size() > kSegmentShownMax ? kHidden : segment);
  });
  if (parts->has_query) shown.append("?").append(kHidden);
  return shown;
}

std::vector<std::string> secrets_of(std::string_view url) {
  const auto parts = split(url);
  std::vector<std::string> secrets;
  if (!parts) {
    if (!url.empty()) secrets.emplace_back(url);
    return secrets;
  }
  if (!parts->user.empty()) {
    secrets.emplace_back(parts->user);
    if (const std::size_t colon = parts->user.find(':'); colon != std::string_view::npos) {
      if (colon + 1 < parts->user.size()) secrets.emplace_back(parts->user.substr(colon + 1));
      if (colon > kSegmentShownMax) secrets.emplace_back(parts->user.substr(0, colon));
    }
  }
  each_segment(parts->path, [&](std::string_view segment) {
    if (segment.size() > kSegmentShownMax) secrets.emplace_back(segment);
  });
  if (!parts->query.empty()) {
    secrets.emplace_back(parts->query);
    std::string_view rest = parts->query;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('&'), rest.size());
      const std::string_view pair = rest.substr(0, end);
      const std::size_t equals = pair.find('=');
      const std::string_view value = equals == std::string_view::npos ? pair : pair.substr(equals + 1);
      if (value.size() > kSegmentShownMax) secrets.emplace_back(value);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  // A secret that contains another must be replaced first, or its remainder would stay.
  std::ranges::sort(secrets, std::ranges::greater{}, &std::string::size);
  return secrets;
}

std::string scrubbed(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    std::size_t at = 0;
    while ((at = text.find(secret, at)) != std::string::npos) {
      text.replace(at, secret.size(), kHidden);
      at += kHidden.size();
    }
  }
  return text;
}

}  // namespace fanfare::upstream
