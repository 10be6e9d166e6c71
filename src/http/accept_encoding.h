#pragma once
// Which coding of an answer's body a client takes. RFC9110§12.5.3.

#include <cstdint>
#include <string_view>

#include "http/headers.h"

namespace fanfare::http {

enum class ContentCoding : std::uint8_t {
  identity,
  gzip,     // RFC9110§8.4.1.3, RFC 1952
  deflate,  // RFC9110§8.4.1.2: the zlib format, RFC 1950
};

// As in Content-Encoding.
std::string_view name_of(ContentCoding coding);

struct AcceptedCoding {
  // What the client likes best of what we have: the highest q, gzip among equals. Identity where it names
  // neither of the others, likes identity better than both, or sends no Accept-Encoding.
  ContentCoding best = ContentCoding::identity;
  // It refuses identity ("identity;q=0", or "*;q=0" alone) and takes `best`, which is then another one.
  bool is_required = false;

  bool operator==(const AcceptedCoding&) const = default;
};

// All fields Accept-Encoding of a request together. A member that cannot be read is taken as refused.
AcceptedCoding accepted_coding(Headers headers);

}  // namespace fanfare::http
