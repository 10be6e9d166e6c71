#pragma once
// Which coding of a response body a client accepts. RFC9110§12.5.3.

#include <cstdint>
#include <string_view>

#include "http/headers.h"

namespace fanfare::http {

enum class ContentCoding : std::uint8_t {
  identity,
  gzip,     // RFC9110§8.4.1.3, RFC 1952
  deflate,  // RFC9110§8.4.1.2: the zlib format, RFC 1950
};

// The name used in Content-Encoding.
std::string_view name_of(ContentCoding coding);

struct AcceptedCoding {
  // The coding that the client prefers among those we support: the highest q, and gzip on a tie. Identity if
  // it names neither of the others, prefers identity to both, or sends no Accept-Encoding.
  ContentCoding best = ContentCoding::identity;
  // The client rejects identity ("identity;q=0", or "*;q=0" alone) and accepts `best`, which is not identity.
  bool is_required = false;

  bool operator==(const AcceptedCoding&) const = default;
};

// Evaluates all Accept-Encoding fields of a request together. An invalid member counts as not acceptable.
AcceptedCoding accepted_coding(Headers headers);

}  // namespace fanfare::http
