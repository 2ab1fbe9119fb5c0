// What the addon's objects have in common: a training thread, promises for its jobs, and an end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "addon/arguments.hpp"
#include "addon/errors.hpp"
#include "addon/napi_setup.hpp"
#include "addon/training_thread.hpp"

namespace dladmm::addon {

template <typename Derived>
class Handle : public Napi::ObjectWrap<Derived> {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Derived>(info) {}

 protected:
  // Runs work() on the training thread and resolves to result(env), made on this one. The object lives until then.
  Napi::Value later(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> result) {
    need_open(env);
    this->Ref();
    const auto deferred = Napi::Promise::Deferred::New(env);
    thread_->post(env, {std::move(work), [this, deferred, result = std::move(result)](
                                             Napi::Env there, const std::exception_ptr& failure) {
                          if (failure) {
                            deferred.Reject(to_error(there, failure).Value());
                          } else {
                            deferred.Resolve(result(there));
                          }
                          this->Unref();
                        }});
    return deferred.Promise();
  }

  void need_open(Napi::Env env) const {
    if (!thread_ || thread_->closed()) throw coded_error(env, "ERR_DLADMM_CLOSED", "this object has been closed");
  }

  // Memory may be touched from this thread only while no job is at work.
  void need_idle(Napi::Env env) const {
    need_open(env);
    if (!thread_->idle()) reject(env, "a call is still at work on this object");
  }

  void start_thread(Napi::Env env) { thread_ = TrainingThread::start(env); }
  [[nodiscard]] const std::atomic<bool>& stop() const { return thread_->stop(); }
  [[nodiscard]] const std::atomic<bool>& called_off() const { return thread_->called_off(); }
  void request_stop() {
    if (thread_) thread_->request_stop();
  }
  // Ends the thread; true where this call did it. A derived class calls it before its members go.
  bool end(Napi::Env env) {
    if (!thread_ || thread_->closed()) return false;
    thread_->close(env);
    return true;
  }

 private:
  std::shared_ptr<TrainingThread> thread_;
};

}  // namespace dladmm::addon
