#include "addon/training_thread.hpp"

#include <set>

#include "addon/errors.hpp"

namespace dladmm::addon {
namespace {

struct Delivery {
  std::shared_ptr<TrainingThread> thread;
  TrainingThread::Job job;
  std::exception_ptr failure;
};

}  // namespace

struct TrainingThread::Registry {
  std::mutex mutex;
  std::set<TrainingThread*> live;

  ~Registry() {
    const std::lock_guard lock(mutex);
    for (TrainingThread* const thread : live) {
      thread->quiet_ = true;
      thread->stop_and_join();
    }
  }
};

TrainingThread::Registry& TrainingThread::registry() {
  static Registry registry;
  return registry;
}

std::shared_ptr<TrainingThread> TrainingThread::start(Napi::Env env) {
  const std::shared_ptr<TrainingThread> self(new TrainingThread());
  self->env_ = env;
  self->deliveries_ = Napi::ThreadSafeFunction::New(env, Napi::Function(), "dladmm", 0, 1);
  self->deliveries_.Unref(env);  // an idle thread keeps no process alive
  // Registered after the thread-safe function, so it runs before that one's own cleanup.
  napi_add_env_cleanup_hook(env, &TrainingThread::on_environment_exit, self.get());
  {
    const std::lock_guard lock(registry().mutex);
    registry().live.insert(self.get());
  }
  try {
    self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  } catch (...) {
    self->close(env);
    throw;
  }
  return self;
}

TrainingThread::~TrainingThread() {
  const std::lock_guard lock(registry().mutex);
  registry().live.erase(this);
}

void TrainingThread::stop_and_join() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    stop_ = true;
    called_off_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TrainingThread::on_environment_exit(void* raw) {
  auto* const self = static_cast<TrainingThread*>(raw);
  self->closed_ = true;
  self->stop_and_join();
}

void TrainingThread::close(Napi::Env env) {
  if (closed_) return;
  closed_ = true;
  napi_remove_env_cleanup_hook(env, &TrainingThread::on_environment_exit, this);
  stop_and_join();
  // Jobs that never ran end here; those that did are on their way and still arrive.
  for (Job& job : jobs_) {
    const auto failure = std::make_exception_ptr(Closed());
    deliver(env, job, failure);
  }
  jobs_.clear();
  deliveries_.Release();
}

void TrainingThread::post(Napi::Env env, Job job) {
  if (pending_++ == 0) deliveries_.Ref(env);
  {
    const std::lock_guard lock(mutex_);
    if (!ending_) stop_ = false;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void TrainingThread::deliver(Napi::Env env, Job& job, const std::exception_ptr& failure) {
  if (--pending_ == 0 && !closed_) deliveries_.Unref(env);
  job.finish(env, failure);
}

void TrainingThread::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
      if (ending_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    std::exception_ptr failure;
    try {
      job.work();
    } catch (...) {
      failure = std::current_exception();
    }
    if (quiet_) return;
    auto delivery = std::make_unique<Delivery>(Delivery{shared_from_this(), std::move(job), failure});
    const auto status = deliveries_.NonBlockingCall(delivery.get(), [](Napi::Env env, Napi::Function, Delivery* raw) {
      const std::unique_ptr<Delivery> owned(raw);
      // Without an environment there is nobody to tell.
      if (static_cast<napi_env>(env) == nullptr) return;
      owned->thread->deliver(env, owned->job, owned->failure);
    });
    if (status == napi_ok) static_cast<void>(delivery.release());
  }
}

}  // namespace dladmm::addon
