#include "relay/names.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/text.h"
#include "jsonrpc/value.h"

namespace fanfare::relay {
namespace {

constexpr int kNoMajority = 10008;                // the broker's err_code
constexpr std::string_view kEpochs = "=epochs.";  // is_name() allows no "="

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::optional<std::uint64_t> whole_number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> tokens_of(std::string_view subject) {
  std::vector<std::string_view> tokens;
  for (std::size_t from = 0; from <= subject.size();) {
    const std::size_t dot = std::min(subject.find('.', from), subject.size());
    tokens.push_back(subject.substr(from, dot - from));
    from = dot + 1;
  }
  return tokens;
}

}  // namespace

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, is_plain);
}

std::optional<std::string> token_of(std::string_view topic) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string token;
  for (const char c : topic) {
    if (is_plain(c)) {
      token += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      token += '=';
      token += kDigits[byte >> 4U];
      token += kDigits[byte & 0xFU];
    }
    if (token.size() > kTokenBytesMax) return std::nullopt;
  }
  return token;
}

std::string stream_of(std::string_view name, std::string_view token) {
  return joined({name, "_", token});
}

std::string subject_of(std::string_view name, std::string_view token, std::uint64_t epoch) {
  return joined({name, ".", token, ".", std::to_string(epoch)});
}

std::string epoch_notices_of(std::string_view name) {
  return joined({name, kEpochs, ">"});
}

std::string epoch_notice_of(std::string_view name, std::string_view token, std::uint64_t epoch) {
  return joined({name, kEpochs, token, ".", std::to_string(epoch)});
}

std::optional<EpochNotice> read_epoch_notice(std::string_view name, std::string_view subject) {
  if (!subject.starts_with(name)) return std::nullopt;
  subject.remove_prefix(name.size());
  if (!subject.starts_with(kEpochs)) return std::nullopt;
  subject.remove_prefix(kEpochs.size());
  const auto epoch = epoch_of(subject);
  if (!epoch) return std::nullopt;
  return EpochNotice{.token = subject.substr(0, subject.rfind('.')), .epoch = *epoch};
}

std::optional<std::uint64_t> epoch_of(std::string_view subject) {
  const std::size_t dot = subject.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return whole_number_of(subject.substr(dot + 1));
}

std::optional<Delivery> delivery_of(std::string_view reply) {
  const auto tokens = tokens_of(reply);
  if (tokens.size() < 9 || tokens[0] != "$JS" || tokens[1] != "ACK") return std::nullopt;
  const std::size_t first = tokens.size() == 9 ? 5 : 7;
  if (tokens.size() < first + 3) return std::nullopt;
  const auto stream = whole_number_of(tokens[first]);
  const auto consumer = whole_number_of(tokens[first + 1]);
  const auto time = whole_number_of(tokens[first + 2]);
  if (!stream || !consumer || !time) return std::nullopt;
  return Delivery{.stream = tokens[first - 3],
                  .consumer = tokens[first - 2],
                  .stream_sequence = *stream,
                  .consumer_sequence = *consumer,
                  .time = *time};
}

std::optional<Acknowledgement> acknowledgement_of(std::string_view json) {
  if (!jsonrpc::is_valid_json(json)) return std::nullopt;
  if (const auto error = jsonrpc::member(json, "error")) {
    Acknowledgement refused;
    if (const auto code = jsonrpc::member(*error, "err_code"))
      refused.error = static_cast<int>(jsonrpc::uint_value(*code).value_or(0));
    if (const auto text = jsonrpc::member(*error, "description"))
      refused.description = jsonrpc::string_copy(*text).value_or("");
    return refused;
  }
  const auto sequence = jsonrpc::member(json, "seq");
  const auto value = sequence ? jsonrpc::uint_value(*sequence) : std::nullopt;
  if (!value || *value == 0) return std::nullopt;
  return Acknowledgement{.sequence = *value,
                         .is_duplicate = jsonrpc::member(json, "duplicate").value_or("") == "true"};
}

bool says_it_stores(std::string_view json) {
  if (const auto answer = acknowledgement_of(json)) return answer->error != kNoMajority;
  const auto cluster = jsonrpc::member(json, "cluster");
  if (!cluster) return true;
  return !jsonrpc::string_copy(jsonrpc::member(*cluster, "leader").value_or("")).value_or("").empty();
}

std::string without_secret(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t at = url.rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  return joined({scheme == std::string_view::npos ? "" : url.substr(0, scheme + 3), url.substr(at + 1)});
}

}  // namespace fanfare::relay
