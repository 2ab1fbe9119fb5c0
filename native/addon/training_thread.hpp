// A thread of its own for each training: work runs off the event loop and off libuv's shared pool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "addon/napi_setup.hpp"

namespace dladmm::addon {

// Jobs run one after the other. Life and death:
//  - close(), on the JavaScript thread, stops and joins;
//  - when the environment ends (worker.terminate(), a worker's process.exit()), a cleanup hook does the same;
//  - process.exit() on the main thread runs no hooks: a static registry stops and joins every thread before OpenBLAS's
//    own destructor, which would otherwise wait for ever for a product in flight.
class TrainingThread : public std::enable_shared_from_this<TrainingThread> {
 public:
  struct Job {
    std::function<void()> work;                                        // on the training thread
    std::function<void(Napi::Env, const std::exception_ptr&)> finish;  // on the JavaScript thread
  };

  static std::shared_ptr<TrainingThread> start(Napi::Env env);
  ~TrainingThread();
  TrainingThread(const TrainingThread&) = delete;
  TrainingThread& operator=(const TrainingThread&) = delete;

  // JavaScript thread only.
  void post(Napi::Env env, Job job);
  void close(Napi::Env env);
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool idle() const { return pending_ == 0; }

  // Asks the sweep at work to stop between two updates; post() takes the request back.
  void request_stop() { stop_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] const std::atomic<bool>& stop() const { return stop_; }
  // Set when the thread is to end: what is at work is of no use to anybody any more.
  [[nodiscard]] const std::atomic<bool>& called_off() const { return called_off_; }

 private:
  struct Registry;
  static Registry& registry();

  TrainingThread() = default;
  void run();
  void stop_and_join();
  void deliver(Napi::Env env, Job& job, const std::exception_ptr& failure);
  static void on_environment_exit(void* self);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool ending_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<bool> called_off_{false};
  std::atomic<bool> quiet_{false};  // nothing of Node's may be touched any more
  std::thread thread_;

  // JavaScript thread only.
  Napi::ThreadSafeFunction deliveries_;
  napi_env env_ = nullptr;
  int pending_ = 0;
  bool closed_ = false;
};

}  // namespace dladmm::addon
