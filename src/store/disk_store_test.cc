// The store on a real disk.

#include "store/disk_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "store/store_world_for_tests.h"

namespace fanfare::store {
namespace {

using Texts = std::vector<std::string>;

class DiskStoreTest : public testing::Test {
 public:
  std::shared_ptr<DiskStore> open(const std::string& boot = "boot 1") {
    auto store = DiskStore::open(options, boot, clock);
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  static Texts texts(int first, int last) {
    Texts made;
    for (int i = first; i <= last; ++i) made.push_back(std::to_string(i));
    return made;
  }
  static void store_all(TopicInTest& topic, const Texts& all) {
    for (const auto& text : all) topic.append(text);
    EXPECT_EQ(topic.wait_for(topic.last).kind, pubsub::StoreReport::Kind::stored);
  }

  Folder folder;
  TestClock clock;
  StoreOptions options{.path = folder.file()};
  const HistoryLimits many{.messages_max = 1000};
};

TEST_F(DiskStoreTest, EventsAreThereAfterARestart) {
  {
    const auto store = open();
    TopicInTest topic(*store, "t", many, many, 77);
    EXPECT_EQ(topic.last, (Position{77, 0}));
    store_all(topic, {"a", "", "c"});
    EXPECT_EQ(topic.read(0), (Texts{"a", "", "c"}));
    EXPECT_EQ(topic.read(2), Texts{"c"});
    EXPECT_EQ(topic.read(3), Texts{});
    EXPECT_EQ(store->metrics().stored, 3U);
  }
  const auto store = open();
  TopicInTest topic(*store, "t", many, {.messages_max = 2}, 78);
  EXPECT_EQ(topic.last, (Position{77, 3}));
  EXPECT_EQ(TopicInTest::texts_of(topic.opened.newest), (Texts{"", "c"}));
  EXPECT_EQ(topic.opened.newest.front().position, (Position{77, 2}));
  EXPECT_TRUE(topic.store("d"));
  EXPECT_EQ(topic.read(0), (Texts{"a", "", "c", "d"}));
  TopicInTest other(*store, "other", many, many, 79);
  EXPECT_EQ(other.last, (Position{79, 0}));
}

TEST_F(DiskStoreTest, ATopicThatFollowsNothingFails) {
  const auto store = open();
  TopicInTest topic(*store, "t", many);
  EXPECT_TRUE(topic.store("a"));
  topic.last.offset = 7;
  EXPECT_FALSE(topic.store("b"));
  topic.last.offset = 1;
  EXPECT_FALSE(topic.store("b"));  // until it begins again
  EXPECT_EQ(topic.topic->range().epoch, 0U);
  EXPECT_TRUE(topic.begin(99));
  EXPECT_TRUE(topic.store("c"));
  EXPECT_EQ(topic.read(0), Texts{"c"});
}

TEST_F(DiskStoreTest, TheOldestGoByCount) {
  options.sync = StoreSync::none;
  const auto store = open();
  TopicInTest topic(*store, "t", {.messages_max = 5});
  store_all(topic, texts(1, 5));
  EXPECT_EQ(topic.topic->range().messages, 5U);
  store_all(topic, texts(6, 6));
  EXPECT_EQ(topic.topic->range().first_offset, 2U);
  EXPECT_EQ(topic.read(0), texts(2, 6));
}

TEST_F(DiskStoreTest, TheOldestGoByBytes) {
  const auto store = open();
  TopicInTest topic(*store, "t", {.messages_max = 100, .bytes_max = 10});
  store_all(topic, {"12345", "67890"});
  EXPECT_EQ(topic.topic->range().bytes, 10U);
  store_all(topic, {"x"});
  EXPECT_EQ(topic.read(0), (Texts{"67890", "x"}));
  store_all(topic, {"longer than all"});
  EXPECT_EQ(topic.read(0), Texts{});
  EXPECT_EQ(topic.topic->range().first_offset, 5U);
  store_all(topic, {"y"});
  EXPECT_EQ(topic.read(0), Texts{"y"});
}

TEST_F(DiskStoreTest, TheOldestGoByAge) {
  HistoryLimits limits = many;
  limits.age_max = std::chrono::hours(1);
  {
    const auto store = open();
    TopicInTest topic(*store, "t", limits);
    store_all(topic, {"a"});
    clock.advance(std::chrono::minutes(59));
    store_all(topic, {"b"});
    EXPECT_EQ(topic.read(0), (Texts{"a", "b"}));
    clock.advance(std::chrono::minutes(2));
    // Without an event.
    const Instant end = system_clock().now() + std::chrono::seconds(60);
    while (topic.topic->range().messages > 1 && system_clock().now() < end) topic.read(0);
    EXPECT_EQ(topic.read(0), Texts{"b"});
    EXPECT_EQ(topic.topic->range().first_offset, 2U);
  }
  clock.advance(std::chrono::hours(2));
  const auto store = open();
  TopicInTest topic(*store, "t", limits, many);
  EXPECT_TRUE(topic.opened.newest.empty());
  EXPECT_EQ(topic.last.offset, 2U);
  EXPECT_TRUE(topic.store("c"));
}

TEST_F(DiskStoreTest, SmallerLimitsApplyAtTheNextStart) {
  {
    const auto store = open();
    TopicInTest topic(*store, "t", many);
    store_all(topic, texts(1, 100));
  }
  const auto store = open();
  TopicInTest topic(*store, "t", {.messages_max = 3}, many);
  EXPECT_EQ(TopicInTest::texts_of(topic.opened.newest), texts(98, 100));
}

TEST_F(DiskStoreTest, MemoryGetsWhatItsLimitsAllow) {
  {
    const auto store = open();
    TopicInTest topic(*store, "t", many);
    store_all(topic, {"aaaa", "bbbb", "cccc"});
  }
  for (const auto& [bytes, count] : {std::pair{7, 1}, std::pair{8, 2}, std::pair{11, 2}, std::pair{12, 3}}) {
    const auto store = open();
    const TopicInTest topic(*store, "t", many,
                            {.messages_max = 10, .bytes_max = static_cast<std::size_t>(bytes)});
    EXPECT_EQ(topic.opened.newest.size(), static_cast<std::size_t>(count)) << bytes;
  }
}

TEST_F(DiskStoreTest, AReadTakesAsManyBytesAsAllowedAndAtLeastOneEvent) {
  const auto store = open();
  TopicInTest topic(*store, "t", many);
  store_all(topic, {"aaaa", "bbbb", "cccc"});
  EXPECT_EQ(topic.read(0, 8), (Texts{"aaaa", "bbbb"}));
  EXPECT_EQ(topic.read(0, 7), Texts{"aaaa"});
  EXPECT_EQ(topic.read(0, 1), Texts{"aaaa"});
}

TEST_F(DiskStoreTest, ANameIsOpenOnce) {
  const auto store = open();
  {
    const TopicInTest topic(*store, "t", many);
    EXPECT_FALSE(store->open("t", {}, [](const pubsub::StoreReport&) {}));
  }
  EXPECT_TRUE(store->open("t", {}, [](const pubsub::StoreReport&) {}));
}

TEST_F(DiskStoreTest, AnErasedTopicIsGoneAndItsNameIsFree) {
  const auto store = open();
  TopicInTest topic(*store, "t", many);
  store_all(topic, {"a"});
  topic.topic->erase();
  EXPECT_TRUE(topic.store("b"));  // forgotten
  EXPECT_EQ(topic.read(0), Texts{});
  TopicInTest again(*store, "t", many, many, 99);
  EXPECT_EQ(again.last, (Position{99, 0}));
  EXPECT_TRUE(again.store("c"));
  EXPECT_EQ(again.read(0), Texts{"c"});
}

TEST_F(DiskStoreTest, ASecondProgramIsTold) {
  const auto store = open();
  const auto second = DiskStore::open(options, "boot 1", clock);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another program uses it"), std::string::npos)
      << second.error().message;
  TopicInTest topic(*store, "t", many);
  EXPECT_TRUE(topic.store("still mine"));
}

// ---- a disk that is full ----

TEST_F(DiskStoreTest, AFullFileFailsAndWorksAgainWithOtherEvents) {
  options.file_bytes_max = 256 << 10;
  const auto store = open();
  TopicInTest topic(*store, "t", {.messages_max = 100'000, .bytes_max = 1 << 30});
  const std::string big(20'000, 'x');
  int count = 0;
  while (count < 100 && topic.store(big)) ++count;
  EXPECT_GE(count, 5);
  EXPECT_LT(count, 13);
  EXPECT_EQ(topic.topic->range().epoch, 0U);
  EXPECT_EQ(store->metrics().failures, 1U);
  EXPECT_TRUE(topic.begin(99));  // what it had of the topic goes
  EXPECT_TRUE(topic.store(big));
  EXPECT_EQ(topic.read(0).size(), 1U);
}

// The kernel refuses to let files grow: write() fails with EFBIG in place of ENOSPC.
TEST_F(DiskStoreTest, AFullDiskFailsAndTheFileStaysSound) {
  struct Limit {
    Limit() {
      getrlimit(RLIMIT_FSIZE, &before);
      handler = std::signal(SIGXFSZ, SIG_IGN);
    }
    ~Limit() {
      set(before.rlim_cur);
      std::signal(SIGXFSZ, handler);
    }
    void set(rlim_t bytes) const {
      const rlimit now{.rlim_cur = bytes, .rlim_max = before.rlim_max};
      EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &now), 0);
    }
    rlimit before{};
    void (*handler)(int);
  };
  Texts kept;
  {
    const auto store = open();
    TopicInTest topic(*store, "t", {.messages_max = 100'000, .bytes_max = 1 << 30});
    {
      const Limit limit;
      limit.set(200'000);
      for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(i) + std::string(5000, 'x');
        if (!topic.store(text)) break;
        kept.push_back(text);
      }
    }
    EXPECT_GE(kept.size(), 3U);
    EXPECT_LT(kept.size(), 60U);
    EXPECT_GE(store->metrics().failures, 1U);
  }
  {
    const auto store = open();
    TopicInTest topic(*store, "t", {.messages_max = 100'000, .bytes_max = 1 << 30}, {.messages_max = 100});
    EXPECT_EQ(TopicInTest::texts_of(topic.opened.newest), kept);
    EXPECT_TRUE(topic.begin(99));
    EXPECT_TRUE(topic.store("again"));
  }
}

// ---- what cannot be opened ----

TEST_F(DiskStoreTest, WhatCannotBeUsedIsSaidAndLeftAlone) {
  const auto problem_of_path = [&](const std::string& path) {
    StoreOptions wrong = options;
    wrong.path = path;
    const auto store = DiskStore::open(wrong, "boot 1", clock);
    return store ? std::string("none") : store.error().message;
  };
  EXPECT_NE(problem_of_path(folder.file("no/such/folder")).find("No such file or directory"),
            std::string::npos);
  std::filesystem::create_directory(folder.file("folder"));
  EXPECT_NE(problem_of_path(folder.file("folder")), "none");
  std::ofstream(folder.file("notes")) << "Dear diary, this is no database, and longer than a hundred bytes, "
                                         "so that SQLite looks at it before it gives up on it.\n";
  const auto before = std::filesystem::file_size(folder.file("notes"));
  EXPECT_NE(problem_of_path(folder.file("notes")).find("is not a store of events, and is left alone"),
            std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(folder.file("notes")), before);
  std::filesystem::remove(folder.file("notes"));
  for (const auto& name : folder.files()) EXPECT_EQ(name, "folder");
}

}  // namespace
}  // namespace fanfare::store
