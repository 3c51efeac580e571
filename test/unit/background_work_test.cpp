#include "core/background_work.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "syscall_faults.hpp"

namespace snapback {
namespace {

TEST(BackgroundWork, RunsOnAThreadOfItsOwnAndTellsWhenItIsDone) {
  BackgroundWork background;
  EXPECT_TRUE(background.done());
  background.wait();  // nothing was started
  std::atomic<bool> go = false;
  bool elsewhere = false;
  for (int i = 0; i < 3; ++i) {
    background.start([&, server = pthread_self()] {
      while (!go) usleep(100);
      elsewhere = pthread_equal(pthread_self(), server) == 0;
    });
    EXPECT_FALSE(background.done());
    go = true;
    background.wait();
    EXPECT_TRUE(background.done());
    EXPECT_TRUE(elsewhere);
    go = elsewhere = false;
  }
}

TEST(BackgroundWork, PassesOnWhatTheWorkRaisedAndGoesOn) {
  BackgroundWork background;
  for (int i = 0; i < 3; ++i) {
    background.start([] { throw std::runtime_error("no"); });
    EXPECT_THROW(background.wait(), std::runtime_error);
    int done = 0;
    background.start([&] { done = 1; });
    background.wait();
    EXPECT_EQ(done, 1);
  }
}

TEST(BackgroundWork, IsWaitedForWhenItIsDropped) {
  bool done = false;
  {
    BackgroundWork background;
    background.start([&] {
      usleep(20'000);
      done = true;
    });
  }
  EXPECT_TRUE(done);
}

TEST(BackgroundWork, IsDoneAtOnceWhereTheSystemHasNoThread) {
  const test::SyscallFault no_thread("pthread_create", EAGAIN);
  BackgroundWork background;
  pthread_t worker{};
  background.start([&] { worker = pthread_self(); });
  EXPECT_TRUE(background.done());
  background.wait();
  EXPECT_TRUE(pthread_equal(worker, pthread_self()));
  // what the work raises is raised where it would be with a thread
  background.start([] { throw std::runtime_error("no"); });
  EXPECT_THROW(background.wait(), std::runtime_error);
  background.wait();
}

// The server's signal handlers must run on the server's own thread.
TEST(BackgroundWork, TakesNoSignals) {
  static std::atomic<int> handled = 0;
  static std::atomic<bool> elsewhere = false;
  static const pthread_t server = pthread_self();
  struct sigaction action = {}, before;
  action.sa_handler = [](int) {
    ++handled;
    if (!pthread_equal(pthread_self(), server)) elsewhere = true;
  };
  sigaction(SIGUSR1, &action, &before);
  BackgroundWork background;
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  for (int i = 0; i < 50; ++i) {
    background.start([] { usleep(500); });
    // while this thread blocks it, another one that does not would get it
    pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
    kill(getpid(), SIGUSR1);
    background.wait();
    pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
  }
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(handled, 50);
  EXPECT_FALSE(elsewhere);
}

}  // namespace
}  // namespace snapback
