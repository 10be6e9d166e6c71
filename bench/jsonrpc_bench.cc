// JSON-RPC from the bytes of a request to those of its answer, without the work of the method itself.

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "jsonrpc/request.h"
#include "jsonrpc/response.h"

namespace fanfare::jsonrpc {
namespace {

constexpr std::string_view kCall =
    R"({"jsonrpc":"2.0","id":7,"method":"eth_getBalance","params":["0x00000000000000000000000000000000000000aa","latest"]})";
constexpr std::array<std::string_view, 6> kMethods{"eth_blockNumber", "eth_call",      "eth_chainId",
                                                   "eth_getBalance",  "eth_subscribe", "net_version"};

std::string batch_of(std::int64_t count) {
  std::string batch = "[";
  for (std::int64_t i = 0; i < count; ++i) batch.append(i > 0 ? "," : "").append(kCall);
  return batch + "]";
}

void dispatch(benchmark::State& state) {
  const std::int64_t count = state.range(0);
  const std::string text = count == 1 ? std::string(kCall) : batch_of(count);
  Parser parser;
  std::string answer;
  for (auto _ : state) {
    answer.clear();
    const auto message = parser.parse(text);
    if (!message) return state.SkipWithError("the text is no request");
    for (const Request& request : message->requests) {
      for (const std::string_view method : kMethods) {
        if (method == request.method) append_result(answer, request.id, R"("0x1bc16d674ec80000")");
      }
    }
    benchmark::DoNotOptimize(answer.data());
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(dispatch)->ArgName("requests")->Arg(1)->Arg(10)->Arg(1000);

// Parses a node's answer and replaces its id with the caller's.
void split_answer(benchmark::State& state) {
  std::string text = R"({"jsonrpc":"2.0","id":"0x12","result":")";
  text.append(static_cast<std::size_t>(state.range(0)), 'a').append("\"}");
  std::string answer;
  for (auto _ : state) {
    answer.clear();
    const auto parts = split_response(text);
    if (!parts) return state.SkipWithError("the text is no answer");
    append_result(answer, "7", parts->result);
    benchmark::DoNotOptimize(answer.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(split_answer)->ArgName("result")->Arg(66)->Arg(65'536);

}  // namespace
}  // namespace fanfare::jsonrpc
