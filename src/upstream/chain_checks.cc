#include "upstream/chain_checks.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/response.h"

namespace fanfare::upstream {
namespace {

constexpr std::string_view kChainIdQuery = R"({"jsonrpc":"2.0","id":0,"method":"eth_chainId","params":[]})";
constexpr std::string_view kGenesisQuery =
    R"({"jsonrpc":"2.0","id":0,"method":"eth_getBlockByNumber","params":["0x0",false]})";
// A check this recent is not repeated because of one more failure.
constexpr Duration kRecheckAfter = std::chrono::seconds(1);

std::string_view result_of(const Result& result) {
  if (!result) return "";
  const auto answer = jsonrpc::split_response(result->body);
  return answer ? answer->result : std::string_view();
}

}  // namespace

ChainChecks::ChainChecks(Executor& worker, const ChainCheckOptions& options, Observer* observer,
                         std::size_t members, Members access)
    : worker_(worker),
      options_(options),
      observer_(observer),
      access_(std::move(access)),
      chain_(options.chain_id),
      known_(members),
      members_(members) {}

void ChainChecks::begin() {
  if (!options_.enabled) return;
  wait_timer_ = worker_.call_after(options_.preferred_wait, [this] {
    waited_enough_ = true;
    evaluate();
  });
  for (std::size_t i = 0; i < members_.size(); ++i) start(i);
}

void ChainChecks::end() {
  *ended_ = true;
  worker_.cancel(wait_timer_);
  for (Member& member : members_) {
    worker_.cancel(member.timer);
    member.waiting.clear();
    member.waiting_for_next.clear();
  }
}

ChainChecks::Standing ChainChecks::standing(std::size_t index) const {
  if (!options_.enabled) return Standing::right;
  const Member& member = members_[index];
  const bool reconnected = access_.backend(index).connection() != member.connection;
  return member.standing == Standing::right && reconnected ? Standing::unchecked : member.standing;
}

bool ChainChecks::must_verify(std::size_t index, Repeat repeat) const {
  if (!options_.enabled) return false;
  if (standing(index) != Standing::right) return true;
  return repeat != Repeat::always && !access_.backend(index).connection();
}

void ChainChecks::verify(std::size_t index, bool fresh, Then then) {
  Member& member = members_[index];
  if (member.open > 0 && fresh) {
    member.waiting_for_next.push_back(std::move(then));
    return;
  }
  member.waiting.push_back(std::move(then));
  if (member.open == 0) start(index);
}

bool ChainChecks::must_prove(std::size_t index, bool new_connection) {
  if (!options_.enabled || *ended_ || worker_.stopping()) return false;
  Member& member = members_[index];
  if (new_connection) {
    member.unproven = true;
    member.proves = false;
  }
  return member.unproven;
}

void ChainChecks::prove(std::size_t index, Then then) {
  verify(index, /*fresh=*/!members_[index].proves, std::move(then));
}

void ChainChecks::doubt(std::size_t index, bool at_once) {
  if (!options_.enabled || *ended_) return;
  Member& member = members_[index];
  const bool was_right = member.standing == Standing::right;
  if (was_right) member.standing = Standing::unchecked;
  known_[index].claim.reset();
  if (member.open > 0) {
    member.again = true;
  } else if (at_once) {
    start(index);
  }
  if (was_right && options_.standing_changed) options_.standing_changed();
}

void ChainChecks::recheck(std::size_t index) {
  if (!options_.enabled || *ended_) return;
  const Member& member = members_[index];
  const bool is_young =
      member.standing != Standing::unchecked && worker_.now() - member.checked_at < kRecheckAfter;
  if (member.open == 0 && !is_young) start(index);
}

void ChainChecks::start(std::size_t index) {
  if (*ended_ || worker_.stopping()) return;
  Member& member = members_[index];
  worker_.cancel(member.timer);
  member.again = false;
  member.proves = member.unproven;
  member.begun = worker_.now();
  member.asked_connection = access_.backend(index).connection();
  member.claim = {};
  member.failure.reset();
  // A genesis that the node has never served is requested only when nothing waits for it.
  const bool asks_genesis = member.serves_genesis || member.waiting.empty();
  member.open = asks_genesis ? 2 : 1;
  const auto options = [this](std::string_view method) {
    return CallOptions{.timeout = options_.timeout,
                       .for_source = true,
                       .method = std::string(method),
                       .repeat = Repeat::always};
  };
  Backend& backend = access_.backend(index);
  backend.call(std::string(kChainIdQuery), options("eth_chainId"),
               [this, index](const Result& result) { take_chain_id(index, result); });
  if (!asks_genesis) return;
  backend.call(std::string(kGenesisQuery), options("eth_getBlockByNumber"),
               [this, index](const Result& result) { take_genesis(index, result); });
}

void ChainChecks::take_chain_id(std::size_t index, const Result& result) {
  if (*ended_) return;
  Member& member = members_[index];
  if (result) {
    member.claim.chain_id = read_chain_id(result_of(result));
  } else {
    member.failure = result.error();
  }
  access_.ended(index, member.begun, result);
  question_ended(index);
}

void ChainChecks::take_genesis(std::size_t index, const Result& result) {
  if (*ended_) return;
  Member& member = members_[index];
  // The check itself has opened a connection, which its eth_chainId says nothing about.
  if (result) must_prove(index, result->new_connection);
  // The event that broke the connection may also have replaced the node that gave its chain id before.
  if (!result && !member.waiting.empty()) member.again = true;
  member.claim.genesis = read_genesis(result_of(result));
  member.serves_genesis = !member.claim.genesis.empty();
  question_ended(index);
}

void ChainChecks::question_ended(std::size_t index) {
  if (--members_[index].open == 0) check_ended(index);
}

void ChainChecks::check_ended(std::size_t index) {
  Member& member = members_[index];
  const bool reconnected = access_.backend(index).connection() != member.asked_connection;
  const auto& right_id = chain_.truth().chain_id;
  const bool is_other = right_id && member.claim.chain_id && member.claim.chain_id != right_id;
  // A claim of another chain counts, whatever happened since: answers wait for this result.
  if (!member.failure && !is_other && (member.again || reconnected)) return start(index);
  if (!member.failure && std::exchange(member.proves, false)) member.unproven = false;
  NetworkChain::Known& known = known_[index];
  known.asked = true;
  if (member.failure) {
    // A member in use stays in use: the failures of its calls decide when it must not.
    if (standing(index) != Standing::right) known.claim.reset();
  } else {
    // A member that has shown a genesis keeps it until it shows another.
    if (member.claim.genesis.empty()) member.claim.genesis = member.genesis;
    member.genesis = member.claim.genesis;
    member.connection = member.asked_connection;
    member.checked_at = member.begun;
    member.retry = Duration::zero();
    known.claim = member.claim;
  }
  member.arm = true;
  evaluate();
}

void ChainChecks::evaluate() {
  if (*ended_) return;
  const ChainClaim before = chain_.truth();
  if (chain_.settle(known_, waited_enough_)) {
    const ChainClaim& now = chain_.truth();
    if (before.genesis.empty() || before.genesis == now.genesis) {
      log_.info("network_chain", {{"chain_id", now.chain_id.value_or(0)}, {"genesis", now.genesis}});
    } else {
      log_.error("network_genesis_replaced", {{"before", before.genesis}, {"now", now.genesis}});
    }
    if (!before.chain_id && now.chain_id && options_.learnt) options_.learnt(*now.chain_id);
  }
  bool changed = false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (set_standing(i, chain_.judge(known_[i]))) changed = true;
  }
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    take_answers(i, answers);
    arm(i);
  }
  if (changed && options_.standing_changed) options_.standing_changed();
  const auto ended = ended_;
  for (Answer& answer : answers) {  // last: may destroy this
    if (!*ended) answer.then(answer.problem ? &*answer.problem : nullptr);
  }
}

// Whether the standing changed.
bool ChainChecks::set_standing(std::size_t index, NetworkChain::Verdict verdict) {
  Member& member = members_[index];
  const std::string_view endpoint = access_.backend(index).name();
  const Standing before = member.standing;
  switch (verdict) {
    case NetworkChain::Verdict::unknown:
      // A wrong member stays wrong until a check finds it right.
      if (member.standing == Standing::right) member.standing = Standing::unchecked;
      break;
    case NetworkChain::Verdict::right:
      member.standing = Standing::right;
      if (!std::exchange(member.complained_of, std::nullopt)) break;
      log_.info("upstream_on_right_chain", {{"endpoint", endpoint}});
      if (observer_ != nullptr) observer_->chain_changed(endpoint, true);
      break;
    case NetworkChain::Verdict::wrong:
      member.standing = Standing::wrong;
      if (member.complained_of == known_[index].claim) break;
      member.complained_of = known_[index].claim;
      log_.error("upstream_on_wrong_chain", {{"endpoint", endpoint}, {"problem", problem(index)}});
      if (observer_ != nullptr) observer_->chain_changed(endpoint, false);
      break;
  }
  return member.standing != before;
}

// Sets the time of the next check of a member whose check has ended.
void ChainChecks::arm(std::size_t index) {
  Member& member = members_[index];
  if (!std::exchange(member.arm, false) || member.open > 0) return;
  worker_.cancel(member.timer);
  Duration wait = options_.every;
  if (member.standing == Standing::wrong) {
    wait = options_.retry_max;
  } else if (member.standing == Standing::unchecked) {
    if (access_.is_aside(index)) return;
    member.retry = std::clamp(member.retry * 2, options_.retry_min, options_.retry_max);
    wait = member.retry;
  } else if (wait == Duration::zero()) {
    return;
  }
  member.timer = worker_.call_after(wait, [this, index] {
    if (members_[index].open == 0) start(index);
  });
}

// Waiting callbacks run as soon as there is a result.
void ChainChecks::take_answers(std::size_t index, std::vector<Answer>& answers) {
  Member& member = members_[index];
  if (member.open > 0) return;
  const std::optional<Failure> problem = verdict_of(index);
  const bool is_undecided = !problem && member.standing != Standing::right;
  if (!is_undecided) {
    for (Then& then : std::exchange(member.waiting, {})) {
      answers.push_back({.then = std::move(then), .problem = problem});
    }
  }
  if (member.waiting_for_next.empty()) return;
  for (Then& then : std::exchange(member.waiting_for_next, {})) member.waiting.push_back(std::move(then));
  start(index);
}

// Empty: the member is right, or nothing is decided yet.
std::optional<Failure> ChainChecks::verdict_of(std::size_t index) const {
  const Member& member = members_[index];
  if (member.failure) {
    Failure failure = *member.failure;
    failure.sent = false;  // nothing of the waiting call was sent
    return failure;
  }
  if (member.standing == Standing::wrong) {
    return Failure{.kind = FailureKind::wrong_chain, .message = problem(index)};
  }
  const auto& claim = known_[index].claim;
  if (claim && !claim->chain_id && chain_.truth().chain_id) {
    return Failure{.kind = FailureKind::bad_reply, .message = "eth_chainId was not answered"};
  }
  return std::nullopt;
}

std::string ChainChecks::problem(std::size_t index) const {
  const Member& member = members_[index];
  if (!options_.enabled || member.standing != Standing::wrong || !member.complained_of) return "";
  const ChainClaim& truth = chain_.truth();
  if (member.complained_of->chain_id == truth.chain_id) {
    return "the node is on " + describe(*member.complained_of) + ", the network is " + describe(truth);
  }
  // A different id is description enough.
  return "the node is on " + describe({.chain_id = member.complained_of->chain_id, .genesis = {}}) +
         ", the network is " + describe({.chain_id = truth.chain_id, .genesis = {}});
}

}  // namespace fanfare::upstream
