// Work off the event loop and off libuv's shared pool: a queue of jobs for each object, and threads that are lent to
// whichever queue has work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "addon/napi_setup.hpp"

namespace dladmm::addon {

class Environment;

// The jobs of one object, which run one after the other. Life and death:
//  - close(), on the JavaScript thread, stops what is at work and waits for its end;
//  - when the environment ends (worker.terminate(), a worker's process.exit()), a cleanup hook does the same;
//  - process.exit() on the main thread runs no hooks: the threads, which are static, stop and join before OpenBLAS's
//  own
//    destructor, which would otherwise wait for ever for a product in flight.
class JobQueue : public std::enable_shared_from_this<JobQueue> {
 public:
  struct Job {
    std::function<void()> work;                                        // on a thread of ours
    std::function<void(Napi::Env, const std::exception_ptr&)> finish;  // on the JavaScript thread; must not throw
    bool stoppable = false;                                            // a run, which looks at stop()
  };
  // A training takes a thread for as long as it likes; all that serve share a few, in turn.
  enum class Kind : std::uint8_t { training, serving };
  static constexpr unsigned kServing = 2;

  static std::shared_ptr<JobQueue> open(Napi::Env env, Kind kind);
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // JavaScript thread only. post() throws where no thread can be had.
  void post(Napi::Env env, Job job);
  void close(Napi::Env env);
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool idle() const { return pending_ == 0; }

  // Asks the run at work, or else the first that waits, to stop between two updates; no other job hears of it.
  void request_stop();
  [[nodiscard]] const std::atomic<bool>& stop() const { return stop_; }
  // Set when the queue is to end: what is at work is of no use to anybody any more.
  [[nodiscard]] const std::atomic<bool>& called_off() const { return called_off_; }

 private:
  friend class Environment;
  friend class Threads;

  struct Delivery;

  JobQueue(std::shared_ptr<Environment> environment, Kind kind);
  // Runs the next job; true where more wait. On a lent thread.
  bool run_next();
  void end_work();
  void wait_for_work();
  void deliver(Napi::Env env, Job& job, const std::exception_ptr& failure);

  const Kind kind_;
  std::mutex mutex_;
  std::condition_variable rests_;
  std::deque<Job> jobs_;
  bool lent_ = false;  // a thread has this queue, or it waits for one
  bool at_work_ = false;
  bool run_at_work_ = false;
  bool stop_next_ = false;  // the run that begins next
  bool ending_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<bool> called_off_{false};
  std::atomic<bool> quiet_{false};  // nothing of Node's may be touched any more

  // JavaScript thread only.
  std::shared_ptr<Environment> environment_;
  int pending_ = 0;
  bool closed_ = false;
};

}  // namespace dladmm::addon
