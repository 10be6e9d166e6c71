#include "gateway/defend/loop_guard.h"

#include <algorithm>
#include <array>
#include <string>

#include "http/headers.h"
#include "session/session.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

constexpr std::string_view kOverloaded = "the server has too much to do, try again in ";
const ws::UpgradePolicy kClosingPolicy{};

std::string text_with(std::chrono::seconds wait) {
  return std::string(kOverloaded) + std::to_string(wait.count()) + " s";
}

// A connection in all but name: it stays open and gets events.
bool opens_event_stream(const http::Request& request) {
  const auto accept = http::find_header(request.headers, "Accept");
  return request.method == "GET" && accept && accept->find("text/event-stream") != std::string_view::npos;
}

// They end work, or keep a connection alive.
bool is_always_taken(std::string_view method) {
  static constexpr std::array<std::string_view, 3> kAlwaysTaken{"eth_unsubscribe", "eth_uninstallFilter",
                                                                "fanfare_authenticate"};
  return std::ranges::find(kAlwaysTaken, method) != kAlwaysTaken.end();
}

}  // namespace

const session::SessionSettings ClosingEndpoint::kSettings{.close_timeout = std::chrono::seconds(1)};

void ClosingEndpoint::on_open(session::Session& session) {
  session.start_closing(ws::close_code::try_again_later, text_with(wait_));
}

LoopGuard::LoopGuard(DefenceCells& cells, std::size_t loop, const DefencePlan& plan)
    : cells_(cells),
      loop_(cells.loops[loop]),
      batches_(cells.batches[loop]),
      slices_(cells.slices[loop]),
      retry_after_(plan.retry_after),
      batch_wait_max_(kBatchTargetsMax * plan.overload.delay_target),
      random_(static_cast<std::uint32_t>(loop) + 1),
      worker_shares_(cells.workers.size()) {}

bool LoopGuard::takes(const LoadCells& cells, EvenShare& share) {
  return share.takes(cells.admitted.load(std::memory_order_relaxed));
}

std::chrono::seconds LoopGuard::retry_after() {
  const auto shortest = std::chrono::ceil<std::chrono::seconds>(retry_after_).count();
  return std::chrono::seconds(shortest + static_cast<std::int64_t>(random_()) % (shortest + 1));
}

// RFC9110§15.6.4, §10.2.3: whole seconds.
session::HttpResponse LoopGuard::unavailable(std::chrono::seconds wait) const {
  return {.status = 503,
          .body = text_with(wait) + "\n",
          .headers = {{.name = "Retry-After", .value = std::to_string(wait.count())}}};
}

session::HttpResponse LoopGuard::refuse(Work work, Shortage why) {
  cells_.refused_for(work, why).add();
  return unavailable(retry_after());
}

std::optional<session::HttpResponse> LoopGuard::refuse_request(const http::Request& request) {
  const MemoryLevel level = memory();
  const bool opens = opens_event_stream(request);
  if (level == MemoryLevel::hard || (opens && level == MemoryLevel::soft)) {
    return refuse(opens ? Work::connection : Work::request, Shortage::memory);
  }
  if (opens && loop_.is_overloaded()) return refuse(Work::connection, Shortage::loop);
  if (!takes(loop_, loop_share_)) return refuse(Work::request, Shortage::loop);
  return std::nullopt;
}

// RFC6455§7.4.1, §4.2.2: a client sees the status, a page's script only a close code.
std::optional<session::UpgradeDecision> LoopGuard::refuse_upgrade(const http::Request& request) {
  const bool has_memory = memory() == MemoryLevel::normal;
  if (has_memory && !loop_.is_overloaded()) return std::nullopt;
  session::HttpResponse answer = refuse(Work::connection, has_memory ? Shortage::loop : Shortage::memory);
  if (memory() == MemoryLevel::hard || !http::find_header(request.headers, "Origin")) return answer;
  closing_.set_retry_after(retry_after());
  return session::Acceptance{.endpoint = &closing_, .policy = &kClosingPolicy, .data = nullptr};
}

// Threads that a reload has added are not measured.
bool LoopGuard::takes_for(std::size_t worker) {
  return worker >= worker_shares_.size() || takes(cells_.workers[worker], worker_shares_[worker]);
}

std::optional<session::HttpResponse> LoopGuard::refuse_request_of(std::size_t worker) {
  if (takes_for(worker)) return std::nullopt;
  return refuse(Work::request, Shortage::upstream);
}

std::optional<session::HttpResponse> LoopGuard::refuse_upgrade_of(std::size_t worker) {
  if (worker >= worker_shares_.size() || !cells_.workers[worker].is_overloaded()) return std::nullopt;
  return refuse(Work::connection, Shortage::upstream);
}

std::optional<rpc::Refusal> LoopGuard::refuse_call(const jsonrpc::Request& request, std::size_t worker) {
  if (is_always_taken(request.method)) return std::nullopt;
  std::optional<Shortage> why;
  if (memory() == MemoryLevel::hard) {
    why = Shortage::memory;
  } else if (!takes(loop_, loop_share_)) {
    why = Shortage::loop;
  } else if (!takes_for(worker)) {
    why = Shortage::upstream;
  }
  if (!why) return std::nullopt;
  return refuse_for(*why);
}

// The share changes a few times a second; a queue may grow much in between. It may also be whole for a while under a load that goes on, since
// the loop's share refuses batches too; the queue must not grow for an interval each time.
bool LoopGuard::takes_batch() {
  if (batches_.is_wary.load(std::memory_order_relaxed) && slices_.wait() > batch_wait_max_) return false;
  return takes(batches_, batch_share_);
}

std::optional<session::HttpResponse> LoopGuard::refuse_batch_request() {
  if (takes_batch()) return std::nullopt;
  return refuse(Work::request, Shortage::batches);
}

std::optional<rpc::Refusal> LoopGuard::refuse_batch() {
  if (takes_batch()) return std::nullopt;
  return refuse_for(Shortage::batches);
}

rpc::Refusal LoopGuard::refuse_for(Shortage why) {
  cells_.refused_for(Work::call, why).add();
  const std::chrono::milliseconds wait(1000 + static_cast<std::int64_t>(random_() % 1000));
  rpc::Refusal refusal = rpc::limit_reached("", wait);
  refusal.message = "the server has too much to do, try again later";
  refusal.is_overload = true;
  return refusal;
}

}  // namespace fanfare::gateway
