#include "addon/jobs.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <list>
#include <set>
#include <thread>

#include "addon/errors.hpp"
#include "core/runtime/processors.hpp"
#include "core/runtime/waiting.hpp"

namespace dladmm::addon {

// One JavaScript environment: how results get to its thread, and the queues that end with it.
class Environment {
 public:
  // The environment's own, made when it is first asked for.
  static std::shared_ptr<Environment> of(Napi::Env env) {
    using Held = std::shared_ptr<Environment>;
    if (auto* const held = env.GetInstanceData<Held>()) return *held;
    auto held = std::make_unique<Held>(new Environment(env));
    env.SetInstanceData<Held>(held.get());
    return *held.release();
  }

  // An environment with work under way keeps its process alive, an idle one does not.
  void begin(Napi::Env env) {
    if (pending_++ == 0) deliveries_.Ref(env);
  }
  void end(Napi::Env env) {
    if (--pending_ == 0) deliveries_.Unref(env);
  }

  std::set<JobQueue*> queues;  // JavaScript thread only
  Napi::ThreadSafeFunction& deliveries() { return deliveries_; }

 private:
  explicit Environment(Napi::Env env)
      : deliveries_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "dladmm", 0, 1)) {
    deliveries_.Unref(env);
    // Registered after the thread-safe function, so it runs before that one's own cleanup.
    napi_add_env_cleanup_hook(
        env,
        [](void* self) {
          for (JobQueue* const queue : static_cast<Environment*>(self)->queues) {
            queue->closed_ = true;
            queue->end_work();
            queue->wait_for_work();
          }
        },
        this);
  }

  Napi::ThreadSafeFunction deliveries_;
  int pending_ = 0;
};

struct JobQueue::Delivery {
  std::shared_ptr<JobQueue> queue;
  Job job;
  std::exception_ptr failure;
};

// The threads that run jobs, in the whole process. A few without work wait for more.
class Threads {
 public:
  static Threads& instance() {
    static Threads threads;
    return threads;
  }

  void add(JobQueue* queue) {
    const std::lock_guard lock(mutex_);
    live_.insert(queue);
  }
  void remove(JobQueue* queue) {
    const std::lock_guard lock(mutex_);
    live_.erase(queue);
  }

  // Runs the jobs of `queue` until none is left. Throws std::system_error where that takes a thread and none can start.
  void lend_to(std::shared_ptr<JobQueue> queue) {
    const std::lock_guard lock(mutex_);
    const auto kind = static_cast<std::size_t>(queue->kind_);
    waiting_[kind].push_back(std::move(queue));
    lent_.fetch_add(1, std::memory_order_release);
    join_ended();
    if (free_ < ready()) {
      try {
        threads_.emplace_back();
        threads_.back() = std::thread([this, self = std::prev(threads_.end())] { work(self); });
        ++free_;
      } catch (...) {
        threads_.pop_back();
        waiting_[kind].pop_back();
        throw;
      }
    }
    wake_.notify_one();
  }

  // A thread has run a job of such a queue, and takes the next when it has told of this one: who hears of it and asks
  // for more needs no other thread.
  void count_free(JobQueue::Kind kind) {
    const std::lock_guard lock(mutex_);
    ++free_;
    serving_ -= kind == JobQueue::Kind::serving ? 1 : 0;
  }

 private:
  using Thread = std::list<std::thread>::iterator;
  static constexpr unsigned kServing = JobQueue::kServing;
  static constexpr std::size_t kKept = 2;
  // Whoever has just been answered often asks again at once, and to wake a thread takes about as long as a small
  // answer.
  static constexpr std::chrono::microseconds kAwake{60};

  Threads() = default;
  ~Threads() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    for (JobQueue* const queue : live_) {
      queue->quiet_ = true;
      queue->end_work();
    }
    wake_.notify_all();
    lock.unlock();
    // Whoever ends from here on leaves the lists as they are.
    for (std::list<std::thread>* const list : {&threads_, &ended_}) {
      for (std::thread& thread : *list) thread.join();
    }
  }

  std::deque<std::shared_ptr<JobQueue>>& trainings() { return waiting_[0]; }
  std::deque<std::shared_ptr<JobQueue>>& services() { return waiting_[1]; }

  // Queues that a free thread could take.
  std::size_t ready() { return trainings().size() + std::min<std::size_t>(services().size(), kServing - serving_); }

  void join_ended() {
    for (std::thread& thread : ended_) thread.join();
    ended_.clear();
  }

  void work(Thread self) {
    std::unique_lock lock(mutex_);
    while (free_ <= kKept || ready() > 0) {
      wake_.wait(lock, [&] { return ending_ || ready() > 0; });
      if (ending_) return;
      auto& from = serving_ < kServing && !services().empty() ? services() : trainings();
      std::shared_ptr<JobQueue> queue = std::move(from.front());
      from.pop_front();
      const bool serves = queue->kind_ == JobQueue::Kind::serving;
      --free_;
      serving_ += serves ? 1 : 0;
      lock.unlock();
      const bool more = queue->run_next();
      lock.lock();
      if (more) from.push_back(std::move(queue));  // behind the others of its kind
      const std::uint32_t seen = lent_.load(std::memory_order_relaxed);
      const bool watches = serves && !more && many_processors_;
      lock.unlock();
      queue.reset();
      if (watches) watch(lent_, seen, kAwake);
      lock.lock();
    }
    --free_;
    if (!ending_) ended_.splice(ended_.end(), threads_, self);
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::array<std::deque<std::shared_ptr<JobQueue>>, 2> waiting_;  // by kind
  const bool many_processors_ = processors().available > 1;
  std::atomic<std::uint32_t> lent_{0};  // queues so far
  std::size_t free_ = 0;                // threads without a queue
  unsigned serving_ = 0;                // threads with a queue that serves
  bool ending_ = false;
  std::set<JobQueue*> live_;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  // about to return
};

JobQueue::JobQueue(std::shared_ptr<Environment> environment, Kind kind)
    : kind_(kind), environment_(std::move(environment)) {}

std::shared_ptr<JobQueue> JobQueue::open(Napi::Env env, Kind kind) {
  const std::shared_ptr<JobQueue> self(new JobQueue(Environment::of(env), kind));
  self->environment_->queues.insert(self.get());
  Threads::instance().add(self.get());
  return self;
}

JobQueue::~JobQueue() { Threads::instance().remove(this); }

void JobQueue::end_work() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  stop_ = true;
  called_off_ = true;
}

void JobQueue::wait_for_work() {
  std::unique_lock lock(mutex_);
  rests_.wait(lock, [&] { return !at_work_; });
}

void JobQueue::close(Napi::Env env) {
  if (closed_) return;
  closed_ = true;
  environment_->queues.erase(this);
  end_work();
  wait_for_work();
  // Jobs that never ran end here; those that did are on their way and still arrive.
  for (Job& job : std::exchange(jobs_, {})) deliver(env, job, std::make_exception_ptr(Closed()));
}

void JobQueue::post(Napi::Env env, Job job) {
  const bool needs_thread = [&] {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    return !std::exchange(lent_, true);
  }();
  if (needs_thread) {
    try {
      Threads::instance().lend_to(shared_from_this());
    } catch (...) {
      const std::lock_guard lock(mutex_);
      jobs_.pop_back();
      lent_ = false;
      throw;
    }
  }
  ++pending_;
  environment_->begin(env);
}

void JobQueue::request_stop() {
  const std::lock_guard lock(mutex_);
  if (run_at_work_) {
    stop_ = true;
  } else {
    stop_next_ = std::any_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.stoppable; });
  }
}

void JobQueue::deliver(Napi::Env env, Job& job, const std::exception_ptr& failure) {
  --pending_;
  environment_->end(env);
  job.finish(env, failure);
}

bool JobQueue::run_next() {
  Job job;
  const bool begins = [&] {
    const std::lock_guard lock(mutex_);
    lent_ = !ending_ && !jobs_.empty();
    if (!lent_) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
    at_work_ = true;
    run_at_work_ = job.stoppable;
    stop_ = job.stoppable && std::exchange(stop_next_, false);
    return true;
  }();
  std::exception_ptr failure;
  try {
    if (begins) job.work();
  } catch (...) {
    failure = std::current_exception();
  }
  Threads::instance().count_free(kind_);
  if (!begins) return false;
  if (!quiet_) {
    auto delivery = std::make_unique<Delivery>(Delivery{shared_from_this(), std::move(job), failure});
    const auto status =
        environment_->deliveries().NonBlockingCall(delivery.get(), [](Napi::Env env, Napi::Function, Delivery* raw) {
          const std::unique_ptr<Delivery> owned(raw);
          // Without an environment there is nobody to tell.
          if (static_cast<napi_env>(env) == nullptr) return;
          owned->queue->deliver(env, owned->job, owned->failure);
        });
    if (status == napi_ok) static_cast<void>(delivery.release());
  }
  const std::lock_guard lock(mutex_);
  at_work_ = false;
  run_at_work_ = false;
  rests_.notify_all();
  lent_ = !ending_ && !jobs_.empty();
  return lent_;
}

}  // namespace dladmm::addon
