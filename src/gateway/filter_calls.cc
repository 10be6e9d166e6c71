#include "gateway/filter_calls.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/header_text.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

constexpr std::array kMethods =
    std::to_array<std::string_view>({"eth_newFilter", "eth_newBlockFilter", "eth_newPendingTransactionFilter",
                                     "eth_getFilterChanges", "eth_getFilterLogs", "eth_uninstallFilter"});

std::optional<eth::FilterKind> kind_made_by(const ForwardItem& item) {
  if (item.method == "eth_newFilter") return eth::FilterKind::logs;
  if (item.method == "eth_newBlockFilter") return eth::FilterKind::blocks;
  if (item.method != "eth_newPendingTransactionFilter") return std::nullopt;
  // geth accepts a boolean: whole transactions instead of hashes.
  const auto whole = jsonrpc::element(item.params, 0);
  return whole == "true" ? eth::FilterKind::pending_bodies : eth::FilterKind::pending_hashes;
}

void refuse(ForwardItem& item, int code, std::string_view message) {
  jsonrpc::append_error(item.answer, item.id, static_cast<jsonrpc::ErrorCode>(code), message);
}
void refuse(ForwardItem& item, const eth::RpcError& error) {
  refuse(item, error.code, error.message);
}

constexpr int kInternal = static_cast<int>(jsonrpc::ErrorCode::internal);

}  // namespace

// A job in progress; finished when no part of it is open.
struct FilterCalls::Pending {
  ForwardJob job;
  std::string client;
  UniqueFunction<void(ForwardJob)> done;
  std::size_t open = 1;  // our own, so that nothing ends during the start

  void close() {
    if (--open == 0) done(std::move(job));
  }
};

FilterCalls::FilterCalls(upstream::Executor& executor, const eth::FilterLimits& limits, Random& random,
                         Source source)
    : executor_(executor), source_(std::move(source)), store_(limits, random) {}

FilterCalls::~FilterCalls() {
  executor_.cancel(expiry_);
}

bool FilterCalls::handles(std::string_view method) {
  return std::ranges::find(kMethods, method) != kMethods.end();
}

bool FilterCalls::is_misspelt(std::string_view method) {
  return !handles(method) && std::ranges::any_of(kMethods, [method](std::string_view one) {
    return equals_ignoring_case(one, method);
  });
}

void FilterCalls::answer(ForwardJob job, const std::string& client, UniqueFunction<void(ForwardJob)> done) {
  auto pending = std::make_shared<Pending>();
  pending->job = std::move(job);
  pending->client = client;
  pending->done = std::move(done);
  for (std::size_t i = 0; i < pending->job.items.size(); ++i) {
    ForwardItem& item = pending->job.items[i];
    if (!item.answer.empty() || !handles(item.method)) continue;
    if (item.id.empty()) {
      // No caller could learn the filter's id, or its changes.
      item.answer = "null";
    } else if (const auto kind = kind_made_by(item)) {
      create(pending, i, *kind);
    } else {
      answer_at_once(item, pending->job.room);
    }
  }
  changed();
  pending->close();
}

void FilterCalls::answer_at_once(ForwardItem& item, AnswerRoom& room) {
  const Instant now = executor_.now();
  if (item.method == "eth_getFilterLogs") {
    auto query = store_.logs_query(item.params, now);
    if (!query) return refuse(item, query.error());
    item.method = "eth_getLogs";
    item.params = std::move(*query);
    return;
  }
  if (item.method == "eth_uninstallFilter") {
    const auto removed = store_.remove(item.params);
    if (!removed) return refuse(item, removed.error());
    return jsonrpc::append_result(item.answer, item.id, *removed ? "true" : "false");
  }
  // Changes without room are kept, and come with the next call.
  const auto changes = store_.changes(item.params, now, [&item, &room](std::size_t bytes) {
    return room.take_answer(bytes, item.id, item.answer);
  });
  if (!changes && !item.answer.empty()) return;
  if (!changes) return refuse(item, changes.error());
  jsonrpc::append_result(item.answer, item.id, *changes);
}

// A filter begins at the chain's head: without a known head, it would report earlier events.
void FilterCalls::create(const std::shared_ptr<Pending>& pending, std::size_t index, eth::FilterKind kind) {
  ++pending->open;
  source_.followed([this, pending, index, kind](bool ready) {
    if (ready) {
      created(pending, index, kind);
    } else {
      refuse(pending->job.items[index], kInternal, kNotFollowed);
    }
    pending->close();
  });
}

void FilterCalls::created(const std::shared_ptr<Pending>& pending, std::size_t index, eth::FilterKind kind) {
  ForwardItem& item = pending->job.items[index];
  const auto id = store_.add(kind, item.params, pending->client, executor_.now());
  if (!id) {
    count();
    return refuse(item, id.error());
  }
  const std::string quoted = "\"" + *id + "\"";
  changed();
  if (kind == eth::FilterKind::logs || kind == eth::FilterKind::blocks) {
    return jsonrpc::append_result(item.answer, item.id, quoted);
  }
  // Answered once every new transaction will be reported: earlier ones cannot be recovered.
  ++pending->open;
  source_.await_pending([this, pending, index, quoted](const std::string& refusal) {
    ForwardItem& its = pending->job.items[index];
    if (refusal.empty()) {
      jsonrpc::append_result(its.answer, its.id, quoted);
    } else {
      if (store_.remove("[" + quoted + "]")) changed();
      refuse(its, kInternal, "no node tells of pending transactions at present");
    }
    pending->close();
  });
}

void FilterCalls::on_events(const std::vector<eth::SourceEvent>& events) {
  for (const eth::SourceEvent& event : events) store_.on_event(event);
}

void FilterCalls::count() {
  if (source_.count == nullptr) return;
  const eth::FilterCounters now = store_.counters();
  const eth::FilterCounters before = std::exchange(counted_, now);
  source_.count(store_.size(), {.created = now.created - before.created,
                                .refused = now.refused - before.refused,
                                .expired = now.expired - before.expired,
                                .lost = now.lost - before.lost,
                                .removed = now.removed - before.removed});
}

void FilterCalls::changed() {
  count();
  executor_.cancel(expiry_);
  if (const auto due = store_.next_expiry()) {
    expiry_ = executor_.call_at(*due, [this] {
      store_.expire(executor_.now());
      changed();
    });
  }
  if (const eth::Interest now = store_.interest(); now != interest_) {
    interest_ = now;
    source_.set_interest(now);
  }
}

std::string FilterCalls::client_of(std::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  std::string address(peer.substr(0, colon));
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (address.empty() || address.starts_with("127.") || address == "::1") return {};
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return address;
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

}  // namespace fanfare::gateway
