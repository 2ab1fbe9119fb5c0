// What the addon exports: a class says so itself, in the file where it stands.
#pragma once

#include <utility>
#include <vector>

#include "addon/napi_setup.hpp"

namespace dladmm::addon {

using Define = Napi::Function (*)(Napi::Env env, const char* name);

// The classes by their names: filled before anything runs, read by every environment.
inline std::vector<std::pair<const char*, Define>>& exported_classes() {
  static std::vector<std::pair<const char*, Define>> classes;
  return classes;
}

// Class: static properties().
template <typename Class>
struct Exported {
  explicit Exported(const char* name) {
    exported_classes().emplace_back(
        name, [](Napi::Env env, const char* own) { return Class::DefineClass(env, own, Class::properties()); });
  }
};

}  // namespace dladmm::addon
