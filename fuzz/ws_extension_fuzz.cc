// Sec-WebSocket-Extensions with arbitrary text: parsed or refused, with the same result if split over two
// headers. Our server's answer to any offer must be acceptable to the client that made the offer.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "ws/extension.h"

namespace {

using namespace fanfare;
using namespace fanfare::ws;

void require(bool holds) {
  if (!holds) std::abort();
}

DeflateOptions options_from(std::uint8_t flags, std::uint8_t windows) {
  return {.server_no_context_takeover = (flags & 1) != 0,
          .client_no_context_takeover = (flags & 2) != 0,
          .server_max_window_bits = 9 + (windows & 15) % 7,
          .client_max_window_bits = 9 + (windows >> 4) % 7};
}

// RFC7692§7.1: the requirements on an answer to this offer.
void check_answer(const DeflateTerms& offer, const DeflateTerms& answer) {
  require(!offer.server_no_context_takeover || answer.server_no_context_takeover);
  require(!offer.server_max_window_bits ||
          (answer.server_max_window_bits && *answer.server_max_window_bits <= *offer.server_max_window_bits));
  require(!answer.client_max_window_bits_named ||
          (offer.client_max_window_bits_named &&
           *answer.client_max_window_bits <= offer.client_max_window_bits.value_or(15)));
  require(!answer.server_max_window_bits || *answer.server_max_window_bits >= 9);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const DeflateOptions options = options_from(data[0], data[1]);
  const std::string_view value(reinterpret_cast<const char*>(data) + 2, size - 2);
  const HeaderField header{.name = "Sec-WebSocket-Extensions", .value = value};
  const auto extensions = parse_extensions({&header, 1});
  if (!extensions) {
    require(extensions.error() == Rule::extension_header_malformed ||
            extensions.error() == Rule::handshake_too_large);
    return 0;
  }
  require(!extensions->empty());

  const std::vector<HeaderField> twice{header, {.name = "Other", .value = value}, header};
  const auto doubled = parse_extensions(twice);
  require(doubled ? doubled->size() == 2 * extensions->size() : extensions->size() * 2 > kExtensionsMax);

  (void)check_deflate_response(*extensions, options);
  const auto agreement = accept_deflate(*extensions, options);
  const auto acceptable = [](const Extension& extension) {
    const auto terms = read_deflate_terms(extension, DeflateMessage::offer);
    return extension.name == "permessage-deflate" && terms && terms->server_max_window_bits.value_or(15) >= 9;
  };
  const auto first = std::ranges::find_if(*extensions, acceptable);
  require(agreement.has_value() == (first != extensions->end()));
  if (!agreement) return 0;

  const HeaderField answer{.name = "Sec-WebSocket-Extensions", .value = agreement->header_value};
  const auto answered = parse_extensions({&answer, 1});
  require(answered && answered->size() == 1);
  const auto terms = read_deflate_terms(answered->front(), DeflateMessage::response);
  require(terms.has_value());
  check_answer(*read_deflate_terms(*first, DeflateMessage::offer), *terms);
  return 0;
}
