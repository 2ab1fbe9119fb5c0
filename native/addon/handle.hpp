// What the addon's objects have in common: a queue of jobs, promises for them, memory told to V8, and an end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "addon/convert.hpp"
#include "addon/errors.hpp"
#include "addon/jobs.hpp"
#include "addon/napi_setup.hpp"
#include "core/runtime/team.hpp"

namespace dladmm::addon {

template <typename Derived>
class Handle : public Napi::ObjectWrap<Derived> {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Derived>(info) {}

 protected:
  // Runs work() off this thread and resolves to result(env), made on this one; rejects where either throws. The object
  // lives until then, but may have been closed: result() must look at nothing that close() frees.
  Napi::Value later(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> result,
                    bool stoppable = false) {
    need_open(env);
    const auto deferred = Napi::Promise::Deferred::New(env);
    const auto finish = [this, deferred, result = std::move(result)](Napi::Env there,
                                                                     const std::exception_ptr& failure) {
      try {
        if (failure) std::rethrow_exception(failure);
        deferred.Resolve(result(there));
      } catch (...) {
        deferred.Reject(to_error(there, std::current_exception()).Value());
      }
      this->Unref();
    };
    coded(env, [&] { jobs_->post(env, {std::move(work), finish, stoppable}); });
    this->Ref();
    return deferred.Promise();
  }

  void need_open(Napi::Env env) const {
    if (!jobs_ || jobs_->closed()) throw coded_error(env, "ERR_DLADMM_CLOSED", "this object has been closed");
  }

  // Memory may be touched from this thread only while no job is at work.
  void need_idle(Napi::Env env) const {
    need_open(env);
    if (!jobs_->idle()) reject(env, "a call is still at work on this object");
  }

  // Throws where the BLAS gives wrong numbers, and where there is no memory for what a training's thread asks of it.
  void start_jobs(Napi::Env env, JobQueue::Kind kind) {
    jobs_ = coded(env, [&] {
      {
        const BlasBuffer here;
        blas::require_right_kernels();
      }
      if (kind == JobQueue::Kind::training) blas_buffer_.emplace();
      return JobQueue::open(env, kind);
    });
  }
  [[nodiscard]] const std::atomic<bool>& stop() const { return jobs_->stop(); }
  [[nodiscard]] const std::atomic<bool>& called_off() const { return jobs_->called_off(); }
  void request_stop() {
    if (jobs_) jobs_->request_stop();
  }

  // Tells V8 of so many more bytes that this object holds until its end.
  void account(Napi::Env env, double bytes) {
    held_bytes_ += static_cast<std::int64_t>(bytes);
    Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<std::int64_t>(bytes));
  }

  // Ends the jobs; true where this call did it. A derived class calls it before its members go.
  bool end(Napi::Env env) {
    if (!jobs_ || jobs_->closed()) return false;
    jobs_->close(env);
    blas_buffer_.reset();
    Napi::MemoryManagement::AdjustExternalMemory(env, -held_bytes_);
    return true;
  }

 private:
  std::shared_ptr<JobQueue> jobs_;
  std::optional<BlasBuffer> blas_buffer_;
  std::int64_t held_bytes_ = 0;
};

}  // namespace dladmm::addon
