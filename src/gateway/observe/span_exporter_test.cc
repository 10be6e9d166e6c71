#include "gateway/observe/span_exporter.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "upstream/test_server.h"

namespace fanfare::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A collector whose answers the test decides.
class Collector {
 public:
  SpanExporter::Send send() {
    return [this](const std::string& body, const std::atomic<bool>&) {
      const std::scoped_lock lock(mutex_);
      bodies_.push_back(body);
      changed_.notify_all();
      if (answers_.empty()) return ExportAnswer{.status = 200};
      ExportAnswer answer = answers_.front();
      answers_.pop_front();
      return answer;
    };
  }
  void answer(ExportAnswer answer) {
    const std::scoped_lock lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  std::string wait_for(std::size_t bodies) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return bodies_.size() >= bodies; });
    return bodies_[bodies - 1];
  }
  std::size_t count() {
    const std::scoped_lock lock(mutex_);
    return bodies_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> bodies_;
  std::deque<ExportAnswer> answers_;
};

trace::Span span(std::string name) {
  trace::Span one;
  one.name = std::move(name);
  return one;
}

std::size_t spans_in(std::string_view body) {
  std::size_t count = 0;
  for (std::size_t at = body.find("\"traceId\""); at != std::string_view::npos;
       at = body.find("\"traceId\"", at + 1))
    ++count;
  return count;
}

class SpanExporterTest : public ::testing::Test {
 protected:
  std::unique_ptr<SpanExporter> exporter(TracingPlan plan) {
    plan.endpoint = "http://collector.example/v1/traces";
    return std::make_unique<SpanExporter>(plan, "1.2.3", cells_, collector_.send());
  }
  std::uint64_t dropped(Unrecorded why) const { return cells_.spans_dropped[why].value(); }

  Collector collector_;
  ObserveCells cells_;
};

TEST_F(SpanExporterTest, SendsAFullBatchAtOnceWithItsResource) {
  auto exporter = this->exporter(
      {.service_name = "edge", .attributes = {{"region", "eu"}}, .interval = hours(1), .batch_spans_max = 3});
  for (int i = 0; i < 3; ++i) exporter->push(span("s"));
  const std::string body = collector_.wait_for(1);
  EXPECT_EQ(spans_in(body), 3U);
  EXPECT_NE(body.find(R"({"key":"service.name","value":{"stringValue":"edge"}})"), std::string::npos);
  EXPECT_NE(body.find(R"({"key":"region","value":{"stringValue":"eu"}})"), std::string::npos);
  exporter.reset();
  EXPECT_EQ(cells_.spans.value(), 3U);
}

TEST_F(SpanExporterTest, SendsWhatWaitsWhenItEnds) {
  auto exporter = this->exporter({.interval = hours(1)});
  exporter->push(span("s"));
  exporter.reset();
  EXPECT_EQ(collector_.count(), 1U);
  EXPECT_EQ(cells_.spans.value(), 1U);
}

TEST_F(SpanExporterTest, RetriesWhatTheCollectorCannotTakeYet) {
  collector_.answer({.status = 503});
  auto exporter = this->exporter({.interval = milliseconds(1), .batch_spans_max = 1});
  exporter->push(span("s"));
  EXPECT_EQ(collector_.wait_for(2), collector_.wait_for(1));
  exporter.reset();
  EXPECT_EQ(cells_.spans.value(), 1U);
  EXPECT_EQ(dropped(Unrecorded::failed), 0U);
}

TEST_F(SpanExporterTest, DropsWhatIsRefusedAndCountsIt) {
  collector_.answer({.status = 400, .body = "no"});
  auto exporter = this->exporter({.interval = milliseconds(1)});
  exporter->push(span("s"));
  collector_.wait_for(1);
  exporter.reset();
  EXPECT_EQ(dropped(Unrecorded::failed), 1U);
  EXPECT_EQ(collector_.count(), 1U) << "400 is not repeated";
}

TEST_F(SpanExporterTest, CountsWhatACollectorRejectsOfABatch) {
  collector_.answer(
      {.status = 200, .body = R"({"partialSuccess":{"rejectedSpans":"1","errorMessage":"late"}})"});
  auto exporter = this->exporter({.interval = hours(1), .batch_spans_max = 2});
  exporter->push(span("a"));
  exporter->push(span("b"));
  collector_.wait_for(1);
  exporter.reset();
  EXPECT_EQ(cells_.spans.value(), 1U);
  EXPECT_EQ(dropped(Unrecorded::failed), 1U);
}

TEST_F(SpanExporterTest, DropsWhatComesToAFullQueue) {
  // The thread waits for a batch that is never complete: the queue is smaller.
  auto exporter = this->exporter({.interval = hours(1), .batch_spans_max = 8, .queued_spans_max = 8});
  collector_.answer({.status = 503, .retry_after = hours(1)});
  for (int i = 0; i < 8; ++i) exporter->push(span("first"));
  collector_.wait_for(1);  // now it waits for its retry
  for (int i = 0; i < 8; ++i) exporter->push(span("kept"));
  EXPECT_EQ(dropped(Unrecorded::queue), 0U);
  exporter->push(span("one past it"));
  EXPECT_EQ(dropped(Unrecorded::queue), 1U);
  exporter.reset();  // does not wait for the retry
  EXPECT_EQ(cells_.spans.value(), 8U);
  EXPECT_EQ(dropped(Unrecorded::failed), 8U);
}

TEST(ExportVerdict, FollowsTheSpecification) {
  using Kind = ExportVerdict::Kind;
  EXPECT_EQ(judge_export({.status = 200, .body = "{}"}).kind, Kind::accepted);
  EXPECT_EQ(judge_export({.status = 202}).kind, Kind::accepted);
  for (const int status : {0, 429, 502, 503, 504})
    EXPECT_EQ(judge_export({.status = status}).kind, Kind::retry);
  for (const int status : {301, 400, 401, 404, 413, 500}) {
    EXPECT_EQ(judge_export({.status = status}).kind, Kind::refused) << status;
  }
  EXPECT_EQ(judge_export({.status = 200, .body = R"({"partialSuccess":{"rejectedSpans":7}})"}).rejected, 7U);
}

TEST(ExportDelay, GrowsIsSpreadAndObeysTheCollector) {
  EXPECT_EQ(export_delay(0, {}, 1), seconds(1));
  EXPECT_EQ(export_delay(0, {}, 0), milliseconds(500));
  EXPECT_EQ(export_delay(3, {}, 1), seconds(8));
  EXPECT_EQ(export_delay(60, {}, 1), seconds(30));
  EXPECT_EQ(export_delay(0, seconds(7), 1), seconds(7));
  EXPECT_EQ(export_delay(0, hours(5), 1), seconds(60)) << "a collector cannot stop it for hours";
}

TEST(SpanSender, PostsJsonWithItsHeadersAndReadsTheAnswer) {
  std::mutex mutex;
  std::string head;
  std::string body;
  upstream::testing::TestServer server(
      [&](upstream::testing::Peer& peer, const upstream::testing::Request& request) {
        {
          const std::scoped_lock lock(mutex);
          head = request.head;
          body = request.body;
        }
        peer.reply("busy, " + std::string(10'000, 'x'), "503 Service Unavailable", "Retry-After: 3\r\n");
      });
  const auto send = make_span_sender({.endpoint = server.url("/v1/traces"), .headers = {{"X-Key", "hush"}}});
  const std::atomic<bool> stops = false;
  const ExportAnswer answer = send("{\"a\":1}", stops);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.retry_after, seconds(3));
  EXPECT_EQ(answer.body.size(), kExportAnswerBytesMax);
  const std::scoped_lock lock(mutex);
  EXPECT_NE(head.find("POST /v1/traces"), std::string::npos) << head;
  EXPECT_NE(head.find("Content-Type: application/json"), std::string::npos) << head;
  EXPECT_NE(head.find("X-Key: hush"), std::string::npos) << head;
  EXPECT_EQ(body, "{\"a\":1}");
}

TEST(SpanSender, ReportsACollectorThatIsNotThere) {
  const auto send = make_span_sender({.endpoint = "http://127.0.0.1:1/v1/traces"});
  const std::atomic<bool> stops = false;
  const ExportAnswer answer = send("{}", stops);
  EXPECT_EQ(answer.status, 0);
  EXPECT_FALSE(answer.error.empty());
}

TEST(SpanSender, EndsEarlyWhenItMust) {
  upstream::testing::TestServer server(
      [](upstream::testing::Peer& peer, const upstream::testing::Request&) { peer.wait_for_close(); });
  const auto send = make_span_sender({.endpoint = server.url(), .timeout = hours(1)});
  const std::atomic<bool> stops = true;
  EXPECT_EQ(send("{}", stops).status, 0);
}

}  // namespace
}  // namespace fanfare::gateway
