// Messages between a program and its worker: whole, in order, with their files, and never a crash on what is none.
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "core/job/channel.h"

using namespace lynceus;
using job::Channel;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kSoon{5000};

struct Ends {
  Ends() {
    auto both = Channel::open();
    a.emplace(std::move(both->first));
    raw = both->second.get();
    b.emplace(std::move(both->second));
  }
  std::optional<Channel> a, b;
  int raw = -1;  // of b
};

FileDescriptor pipeWith(const std::string& text) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  return FileDescriptor(ends[0]);
}

std::string textOf(const FileDescriptor& file) {
  char buffer[64];
  const ssize_t n = read(file.get(), buffer, sizeof buffer);
  return {buffer, static_cast<size_t>(std::max<ssize_t>(n, 0))};
}

}  // namespace

TEST(Channel, BringsMessagesInOrderHoweverLarge) {
  Ends ends;
  const std::string large(3000000, 'x');
  std::thread sender([&] {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(ends.a->send({{"i", i}, {"text", large}}));
  });
  for (int i = 0; i < 3; ++i) {
    const auto message = ends.b->receive(kSoon);
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->body["i"], i);
    EXPECT_EQ((*message)->body["text"].get<std::string>(), large);
  }
  sender.join();
}

TEST(Channel, GivesEachMessageItsOwnFiles) {
  Ends ends;
  const FileDescriptor one = pipeWith("one"), two = pipeWith("two"), three = pipeWith("three");
  const int first[] = {one.get()}, second[] = {two.get(), three.get()};
  ASSERT_TRUE(ends.a->send({{"n", 1}}, first));
  ASSERT_TRUE(ends.a->send({{"n", 0}}));
  ASSERT_TRUE(ends.a->send({{"n", 2}}, second));
  std::vector<std::string> texts;
  for (const size_t files : {1U, 0U, 2U}) {
    const auto message = ends.b->receive(kSoon);
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->files.size(), files);
    for (const FileDescriptor& file : (*message)->files) texts.push_back(textOf(file));
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(Channel, WaitsNoLongerThanItWasAskedTo) {
  Ends ends;
  const auto message = ends.b->receive(milliseconds(20));
  ASSERT_TRUE(message);
  EXPECT_FALSE(*message);
}

TEST(Channel, SaysThatTheOtherSideIsGone) {
  Ends ends;
  ends.a.reset();
  EXPECT_EQ(ends.b->receive(kSoon).error().code, ErrorCode::resource);
  EXPECT_EQ(ends.b->send({{"n", 1}}).error().code, ErrorCode::resource);
}

TEST(Channel, RefusesWhatIsNoMessage) {
  for (const std::string line :
       {"{", "[1]", "null", "\xff\xfe", "{\"files\": 1}", "{\"files\": -1}", "{\"files\": 1e300}", ""}) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const FileDescriptor writer(ends[0]);
    Channel channel((FileDescriptor(ends[1])));
    const std::string bytes = line + "\n";
    ASSERT_EQ(write(writer.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    const auto message = channel.receive(kSoon);
    ASSERT_FALSE(message) << line;
    EXPECT_EQ(message.error().code, ErrorCode::badInput) << line;
  }
}

TEST(Channel, SendsWhatIsNoUtf8AsReplacementCharacters) {
  Ends ends;
  ASSERT_TRUE(ends.a->send({{"path", "a\xff"}}));
  const auto message = ends.b->receive(kSoon);
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->body["path"], "a\xEF\xBF\xBD");
}
