#pragma once
// The filters of eth_newFilter and the like: each collects events until its owner queries it. A filter that
// was not queried for five minutes is removed, as in geth. The number of filters is limited, and so is the
// memory of each and of all together. Beyond a limit a filter is removed, so that its owner gets "filter not
// found" rather than partial changes.

#include <expected>
#include <map>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "devchain/log_filter.h"

namespace fanfare::devchain {

class Filters {
 public:
  static constexpr std::size_t kFiltersMax = 1024;
  static constexpr std::size_t kEntriesMax = 10'000;
  static constexpr std::size_t kFilterBytesMax = std::size_t{4} << 20;  // collected by one
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;       // and by all
  static constexpr Duration kIdleMax = std::chrono::minutes(5);

  enum class Kind { blocks, pending_hashes, pending_bodies, logs };
  struct LogQuery {
    LogFilter filter;
    std::optional<std::uint64_t> from_block;  // none: the current head
    std::optional<std::uint64_t> to_block;
  };

  // Returns the id, a quantity; empty if there are too many.
  std::optional<std::string> add(Kind kind, LogQuery query, Instant now, Random& random);
  bool remove(std::string_view id);
  // The JSON array of the events since the last call; empty if there is no such filter.
  std::optional<std::string> take(std::string_view id, Instant now);
  // The query of a log filter; null for the others.
  const LogQuery* log_query(std::string_view id) const;

  void on_block(const Block& block);
  // `removed`: the block left the canonical chain.
  void on_logs(const Block& block, bool removed);
  void on_pending(const Transaction& transaction);
  void drop_idle(Instant now);
  std::size_t size() const { return filters_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Filter {
    Kind kind = Kind::blocks;
    LogQuery query;
    std::vector<std::string> entries;  // JSON
    std::size_t bytes = 0;             // of them
    Instant asked{};
    bool overflowed = false;
  };

  void collect(Filter& filter, std::string entry);
  void clear(Filter& filter);

  std::map<std::string, Filter, std::less<>> filters_;
  std::size_t bytes_ = 0;  // of all entries
};

}  // namespace fanfare::devchain
