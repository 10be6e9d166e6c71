#include "devchain/transaction.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "devchain/keccak.h"
#include "devchain/rlp.h"

namespace fanfare::devchain {
namespace {

constexpr std::size_t kFieldsMax = 12;
constexpr std::size_t kAccessListEntriesMax = 1024;

void append_to(Blob& payload, const std::optional<Address>& to) {
  rlp::append_bytes(payload, to ? Bytes(*to) : Bytes{});
}

// The signed fields, one after another.
Blob unsigned_fields(const TransactionBody& body) {
  Blob payload;
  if (body.type != TransactionType::legacy) rlp::append_number(payload, body.chain_id);
  rlp::append_number(payload, body.nonce);
  if (body.type == TransactionType::dynamic_fee) rlp::append_number(payload, body.priority_fee_max);
  rlp::append_number(payload, body.fee_max);
  rlp::append_number(payload, body.gas_limit);
  append_to(payload, body.to);
  rlp::append_number(payload, body.value);
  rlp::append_bytes(payload, body.data);
  if (body.type != TransactionType::legacy) rlp::append_list(payload, body.access_list);
  return payload;
}

// `payload` as a list, after the type's byte if it has one.
Blob envelope(TransactionType type, Bytes payload) {
  Blob out;
  if (type != TransactionType::legacy) out.push_back(static_cast<std::uint8_t>(type));
  rlp::append_list(out, payload);
  return out;
}

// EIP-155: a legacy transaction includes the chain id in the signature.
Hash signing_hash(TransactionType type, std::uint64_t chain_id, Blob fields) {
  if (type == TransactionType::legacy) {
    rlp::append_number(fields, chain_id);
    rlp::append_number(fields, 0);
    rlp::append_number(fields, 0);
  }
  return keccak(envelope(type, fields));
}

struct Reader {
  std::vector<rlp::Item> fields;
  std::size_t at = 0;
  bool bad = false;

  const rlp::Item& next() { return fields[at++]; }
  Wei number() { return value_or_bad(rlp::number(next()), Wei{0}); }
  std::uint64_t number_u64() { return value_or_bad(rlp::number_u64(next()), std::uint64_t{0}); }
  Bytes bytes() {
    const rlp::Item& item = next();
    bad |= item.is_list;
    return item.payload;
  }
  Hash scalar() {
    const rlp::Item& item = next();
    Hash value{};
    if (!rlp::number(item)) {
      bad = true;
    } else {
      std::ranges::copy(item.payload, value.end() - static_cast<std::ptrdiff_t>(item.payload.size()));
    }
    return value;
  }

 private:
  template <typename T>
  T value_or_bad(std::optional<T> value, T otherwise) {
    bad |= !value;
    return value.value_or(otherwise);
  }
};

void read_to(Reader& reader, TransactionBody& body) {
  const Bytes to = reader.bytes();
  if (to.empty()) return;
  if (to.size() != sizeof(Address)) {
    reader.bad = true;
    return;
  }
  body.to.emplace();
  std::ranges::copy(to, body.to->begin());
}

void read_access_list(Reader& reader, TransactionBody& body) {
  const rlp::Item& list = reader.next();
  if (!list.is_list || !parse_access_list(list.payload)) {
    reader.bad = true;
    return;
  }
  body.access_list.assign(list.payload.begin(), list.payload.end());
}

void read_body(Reader& reader, TransactionBody& body) {
  if (body.type != TransactionType::legacy) body.chain_id = reader.number_u64();
  body.nonce = reader.number_u64();
  body.priority_fee_max = reader.number();
  body.fee_max = body.type == TransactionType::dynamic_fee ? reader.number() : body.priority_fee_max;
  body.gas_limit = reader.number_u64();
  read_to(reader, body);
  body.value = reader.number();
  const Bytes data = reader.bytes();
  body.data.assign(data.begin(), data.end());
  if (body.type != TransactionType::legacy) read_access_list(reader, body);
}

std::size_t field_count(TransactionType type) {
  switch (type) {
    case TransactionType::legacy:
      return 9;
    case TransactionType::access_list:
      return 11;
    case TransactionType::dynamic_fee:
      return 12;
  }
  std::unreachable();
}

}  // namespace

Wei Transaction::effective_gas_price(Wei base_fee) const {
  return std::min(fee_max, base_fee + std::min(priority_fee_max, fee_max));
}

std::uint64_t intrinsic_gas(const TransactionBody& body) {
  std::uint64_t gas = body.to ? 21'000 : 53'000;
  for (const std::uint8_t byte : body.data) gas += byte == 0 ? 4 : 16;
  if (const auto entries = parse_access_list(body.access_list)) {
    for (const auto& entry : *entries) gas += 2'400 + 1'900 * entry.keys.size();
  }
  return gas;
}

std::optional<std::vector<AccessListEntry>> parse_access_list(Bytes items) {
  const auto entries = rlp::items(items, kAccessListEntriesMax);
  if (!entries) return std::nullopt;
  std::vector<AccessListEntry> parsed;
  for (const auto& entry : *entries) {
    const auto pair = entry.is_list ? rlp::items(entry.payload, 2) : std::nullopt;
    if (!pair || pair->size() != 2 || (*pair)[0].is_list || !(*pair)[1].is_list) return std::nullopt;
    const auto keys = rlp::items((*pair)[1].payload, kAccessListEntriesMax);
    if (!keys || (*pair)[0].payload.size() != sizeof(Address)) return std::nullopt;
    AccessListEntry made;
    std::ranges::copy((*pair)[0].payload, made.address.begin());
    for (const auto& key : *keys) {
      if (key.is_list || key.payload.size() != sizeof(Hash)) return std::nullopt;
      std::ranges::copy(key.payload, made.keys.emplace_back().begin());
    }
    parsed.push_back(std::move(made));
  }
  return parsed;
}

TransactionPtr sign_transaction(TransactionBody body, const Hash& key) {
  return sign_transaction(std::move(body), key, address_of_key(key));
}

TransactionPtr sign_transaction(TransactionBody body, const Hash& key, const Address& from) {
  Blob fields = unsigned_fields(body);
  const Signature signature = sign(signing_hash(body.type, body.chain_id, fields), key);
  const Wei v = body.type == TransactionType::legacy
                    ? static_cast<Wei>(body.chain_id) * 2 + 35 + signature.parity
                    : static_cast<Wei>(signature.parity);
  rlp::append_number(fields, v);
  for (const Hash* scalar : {&signature.r, &signature.s}) {
    Bytes digits(*scalar);
    while (digits.front() == 0) digits = digits.subspan(1);
    rlp::append_bytes(fields, digits);
  }
  auto made = std::make_shared<Transaction>();
  static_cast<TransactionBody&>(*made) = std::move(body);
  made->signature = signature;
  made->from = from;
  made->raw = envelope(made->type, fields);
  made->hash = keccak(made->raw);
  return made;
}

std::expected<TransactionPtr, std::string> decode_transaction(Bytes raw) {
  if (raw.empty()) return std::unexpected("typed transaction too short");
  auto made = std::make_shared<Transaction>();
  made->type = TransactionType::legacy;
  Bytes rest = raw;
  if (raw[0] < 0xc0) {
    if (raw[0] != 1 && raw[0] != 2) return std::unexpected("transaction type not supported");
    made->type = static_cast<TransactionType>(raw[0]);
    rest = rest.subspan(1);
  }
  const auto list = rlp::take(rest);
  if (!list || !list->is_list || !rest.empty()) return std::unexpected("rlp: not one list");
  auto fields = rlp::items(list->payload, kFieldsMax);
  if (!fields || fields->size() != field_count(made->type)) {
    return std::unexpected("rlp: wrong number of transaction fields");
  }
  const std::size_t signed_count = fields->size() - 3;
  Reader reader{.fields = std::move(*fields)};
  read_body(reader, *made);
  const std::uint64_t v = reader.number_u64();
  made->signature.r = reader.scalar();
  made->signature.s = reader.scalar();
  if (reader.bad) return std::unexpected("rlp: malformed transaction field");

  if (made->type == TransactionType::legacy) {
    if (v < 35) return std::unexpected("only replay-protected (EIP-155) transactions allowed over RPC");
    made->chain_id = (v - 35) / 2;
    made->signature.parity = static_cast<std::uint8_t>((v - 35) % 2);
  } else {
    if (v > 1) return std::unexpected("invalid transaction v, r, s values");
    made->signature.parity = static_cast<std::uint8_t>(v);
  }
  // The signed bytes are the received ones, in whatever form they were parsed as numbers.
  Blob signed_fields;
  for (std::size_t i = 0; i < signed_count; ++i) rlp::append_raw(signed_fields, reader.fields[i].whole);
  const auto from =
      recover(signing_hash(made->type, made->chain_id, std::move(signed_fields)), made->signature);
  if (!from) return std::unexpected("invalid transaction v, r, s values");
  made->from = *from;
  made->raw.assign(raw.begin(), raw.end());
  made->hash = keccak(made->raw);
  return made;
}

}  // namespace fanfare::devchain
