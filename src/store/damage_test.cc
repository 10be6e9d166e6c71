// Files that were damaged, cut, lost or put back: nobody gets a wrong event, or an offset that was given before.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <iterator>

#include "store/store_world_for_tests.h"

namespace fanfare::store {
namespace {

using Texts = std::vector<std::string>;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class DamageTest : public testing::Test {
 public:
  static constexpr std::uint64_t kEpoch = 4242;

  DamageTest() {
    for (int i = 0; i < 40; ++i) written.push_back("event " + std::to_string(i) + std::string(100, 'x'));
  }

  std::shared_ptr<DiskStore> open(const std::string& boot = "boot 1") {
    auto store = DiskStore::open(options, boot, clock);
    if (!store) last_problem = store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  void write_all() {
    const auto store = open();
    ASSERT_NE(store, nullptr) << last_problem;
    TopicInTest topic(*store, "t", many, {}, kEpoch);
    for (const auto& text : written) topic.append(text);
    EXPECT_EQ(topic.wait_for(topic.last).kind, pubsub::StoreReport::Kind::stored);
    killed = copy();  // what a process leaves behind that is killed now
  }
  std::map<std::string, std::string> copy() const {
    std::map<std::string, std::string> files;
    for (const auto& name : folder.files()) files[name] = read_file(folder.file(name));
    return files;
  }
  void put_back(const std::map<std::string, std::string>& files) {
    for (const auto& name : folder.files()) std::filesystem::remove(folder.file(name));
    for (const auto& [name, bytes] : files) write_file(folder.file(name), bytes);
  }
  // Opens the topic: either everything is as it was written, or there is another epoch and nothing of the old one.
  bool is_whole(const std::string& boot = "boot 1") {
    const auto store = open(boot);
    if (store == nullptr) return false;
    const TopicInTest topic(*store, "t", many, {.messages_max = 100}, kEpoch + 1);
    if (topic.last == Position{kEpoch, written.size()}) {
      EXPECT_EQ(TopicInTest::texts_of(topic.opened.newest), written);
      return true;
    }
    EXPECT_EQ(topic.last, (Position{kEpoch + 1, 0}));
    EXPECT_TRUE(topic.opened.newest.empty());
    return false;
  }
  bool was_moved_aside() const {
    for (const auto& name : folder.files()) {
      if (name.find(".damaged-") != std::string::npos) return true;
    }
    return false;
  }

  Folder folder;
  TestClock clock;
  StoreOptions options{.path = folder.file()};
  const HistoryLimits many{.messages_max = 1000};
  std::string last_problem;
  Texts written;
  std::map<std::string, std::string> killed;
};

TEST_F(DamageTest, AKilledProcessLeavesEverything) {
  for (const auto sync : {StoreSync::each, StoreSync::interval, StoreSync::none}) {
    options.sync = sync;
    put_back({});
    write_all();
    put_back(killed);
    EXPECT_TRUE(is_whole());
    EXPECT_TRUE(is_whole());  // and once more
  }
}

TEST_F(DamageTest, AfterTheMachineStoppedOnlySyncEachGoesOn) {
  for (const auto sync : {StoreSync::each, StoreSync::interval, StoreSync::none}) {
    options.sync = sync;
    put_back({});
    write_all();
    const auto closed = copy();
    put_back(killed);
    EXPECT_EQ(is_whole("boot 2"), sync == StoreSync::each);
    put_back(closed);
    EXPECT_TRUE(is_whole("boot 2"));  // it was closed
  }
}

TEST_F(DamageTest, AnyFlippedBitOfAClosedFileIsFound) {
  write_all();
  const auto closed = copy();
  EXPECT_FALSE(closed.contains("events-wal") && !closed.at("events-wal").empty());
  const std::string& file = closed.at("events");
  SeededRandom random(7);
  int whole = 0;
  int moved = 0;
  constexpr int kTries = 160;
  for (int i = 0; i < kTries; ++i) {
    auto files = closed;
    const std::size_t at = i < 100 ? static_cast<std::size_t>(i) : random.below(file.size());
    files["events"][at] = static_cast<char>(files["events"][at] ^ static_cast<char>(1U << random.below(8)));
    put_back(files);
    if (is_whole()) {
      ++whole;  // free space, or a field that means nothing
      EXPECT_FALSE(was_moved_aside()) << at;
    } else if (was_moved_aside()) {
      ++moved;
    }
  }
  EXPECT_GT(moved, kTries / 4);
  EXPECT_GT(whole, 0);
}

TEST_F(DamageTest, AnyLengthOfACutFileIsFound) {
  write_all();
  const auto closed = copy();
  const std::size_t size = closed.at("events").size();
  for (std::size_t length = 0; length < size; length += length < 128 ? 16 : size / 20) {
    auto files = closed;
    files["events"].resize(length);
    put_back(files);
    EXPECT_FALSE(is_whole()) << length;
    EXPECT_TRUE(is_whole() || open() != nullptr) << length;  // and goes on with a new one
  }
}

TEST_F(DamageTest, ALogThatWasLostCutOrDamagedIsFound) {
  write_all();
  const std::size_t size = killed.at("events-wal").size();
  ASSERT_GT(size, 4096U);
  SeededRandom random(8);
  for (int i = 0; i < 60; ++i) {
    auto files = killed;
    if (i == 0) {
      files.erase("events-wal");
    } else if (i < 30) {
      files["events-wal"].resize(random.below(size));
    } else {
      char& byte = files["events-wal"][random.below(size)];
      byte = static_cast<char>(byte ^ static_cast<char>(1U << random.below(8)));
    }
    put_back(files);
    is_whole();  // checks what it says
  }
  auto files = killed;
  files.erase("events-wal");
  put_back(files);
  EXPECT_FALSE(is_whole());
}

TEST_F(DamageTest, AnOldCopyThatWasPutBackIsFound) {
  write_all();
  auto old = copy();
  {
    const auto store = open();
    TopicInTest topic(*store, "t", many);
    EXPECT_TRUE(topic.store("one more"));
  }
  const auto now = copy();
  old["events-mark"] = now.at("events-mark");
  put_back(old);
  EXPECT_FALSE(is_whole());
}

TEST_F(DamageTest, WithoutItsMarkAFileThatWasNotClosedBeginsAnew) {
  write_all();
  for (const bool is_closed : {true, false}) {
    auto files = is_closed ? copy() : killed;
    files.erase("events-mark");
    put_back(files);
    EXPECT_EQ(is_whole(), is_closed);
    files["events-mark"] = "garbage garbage!";
    put_back(files);
    EXPECT_EQ(is_whole(), is_closed);
  }
}

TEST_F(DamageTest, DamageThatIsFoundWhileItRunsMovesTheFileAside) {
  const auto store = open();
  TopicInTest topic(*store, "t", {.messages_max = 1000, .bytes_max = 1 << 30}, {}, kEpoch);
  EXPECT_TRUE(topic.store("easy to find"));
  const std::string big(200'000, 'x');
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(topic.store(big));  // more than SQLite keeps in memory
  EXPECT_EQ(topic.read(0, 1), Texts{"easy to find"});
  std::size_t found = 0;
  for (const char* const name : {"events", "events-wal"}) {
    const std::string bytes = read_file(folder.file(name));
    for (std::size_t at = bytes.find("easy to find"); at != std::string::npos;
         at = bytes.find("easy to find", at + 1)) {
      std::fstream file(folder.file(name), std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(at)).write("hard", 4);
      ++found;
    }
  }
  EXPECT_GT(found, 0U);
  for (int i = 0; i < 40; ++i) topic.read(static_cast<std::uint64_t>(1 + i), 1);
  EXPECT_EQ(topic.read(0, 1), Texts{});
  EXPECT_FALSE(topic.store("the topic has failed"));
  EXPECT_TRUE(topic.begin(99));
  EXPECT_TRUE(was_moved_aside());
  EXPECT_TRUE(topic.store("new"));
  EXPECT_EQ(topic.read(0), Texts{"new"});
}

TEST_F(DamageTest, ADatabaseOfAnotherProgramIsLeftAlone) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(options.path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "CREATE TABLE wallet (coins); INSERT INTO wallet VALUES (7)", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  const auto store = DiskStore::open(options, "boot 1", clock);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message.find("database of another program"), std::string::npos)
      << store.error().message;
  EXPECT_FALSE(was_moved_aside());
}

}  // namespace
}  // namespace fanfare::store
