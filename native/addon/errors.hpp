// Errors that leave the addon: JavaScript errors with a stable `code`.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "addon/napi_setup.hpp"
#include "core/linalg/self_check.hpp"
#include "core/runtime/mpi.hpp"
#include "core/runtime/team.hpp"
#include "core/storage/tensor_file.hpp"

namespace dladmm::addon {

inline Napi::Error coded_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// What becomes of a job that a close() came before.
struct Closed : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "closed before the work began"; }
};

// What failed, on whichever thread, as a JavaScript error.
inline Napi::Error to_error(Napi::Env env, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Napi::Error& error) {
    return error;
  } catch (const blas::WrongKernels& error) {
    return coded_error(env, "ERR_DLADMM_BLAS", error.what());
  } catch (const RanksFailure& error) {
    return coded_error(env, "ERR_DLADMM_RANKS", error.what());
  } catch (const NoBlasBuffer& error) {
    return coded_error(env, "ERR_DLADMM_MEMORY", error.what());
  } catch (const std::bad_alloc&) {
    return coded_error(env, "ERR_DLADMM_MEMORY", "out of memory");
  } catch (const Closed& error) {
    return coded_error(env, "ERR_DLADMM_CLOSED", error.what());
  } catch (const CalledOff& error) {
    return coded_error(env, "ERR_DLADMM_CLOSED", error.what());
  } catch (const Damaged& error) {
    return coded_error(env, "ERR_DLADMM_FORMAT", error.what());
  } catch (const std::domain_error& error) {
    return coded_error(env, "ERR_DLADMM_FORMAT", error.what());
  } catch (const FileFailure& error) {
    Napi::Error out = coded_error(env, "ERR_DLADMM_FILE", error.what());
    out.Set("errno", Napi::Number::New(env, error.code().value()));
    return out;
  } catch (const std::system_error& error) {  // a thread that could not be started
    return coded_error(env, "ERR_DLADMM_MEMORY", std::string("no thread could be started: ") + error.what());
  } catch (const std::length_error& error) {
    return coded_error(env, "ERR_DLADMM_RANGE", error.what());
  } catch (const std::logic_error& error) {  // a call that another one should have come before
    return coded_error(env, "ERR_DLADMM_STATE", error.what());
  } catch (const std::exception& error) {
    return coded_error(env, "ERR_DLADMM_NATIVE", error.what());
  } catch (...) {
    return coded_error(env, "ERR_DLADMM_NATIVE", "unknown native failure");
  }
}

}  // namespace dladmm::addon
