#include "core/runtime/mpi.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <initializer_list>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace dladmm {
namespace {

// How an ABI has what the calls take. Handle: int, or a pointer.
template <typename Handle>
struct Abi {
  Handle world, of_float, of_double, byte, plus, greatest;
  void* in_place;
  int serialized;  // MPI_THREAD_SERIALIZED
};

// MPI 5.0, appendix A.
Abi<void*> standard_abi() {
  const auto handle = [](std::uintptr_t number) { return reinterpret_cast<void*>(number); };
  return {handle(0x101), handle(0x210), handle(0x214), handle(0x247), handle(0x21), handle(0x23), handle(1), 2048};
}

Abi<void*> open_mpi_abi(void* library) {
  const auto handle = [library](const char* name) {
    if (void* const found = dlsym(library, name)) return found;
    throw RanksFailure(std::string("Expected ") + name + " in Open MPI's library but it is not there");
  };
  return {handle("ompi_mpi_comm_world"), handle("ompi_mpi_float"),  handle("ompi_mpi_double"),  handle("ompi_mpi_byte"),
          handle("ompi_mpi_op_sum"),     handle("ompi_mpi_op_max"), reinterpret_cast<void*>(1), 2};
}

Abi<int> mpich_abi() {
  return {0x44000000, 0x4c00040a, 0x4c00080b, 0x4c00010d, 0x58000003, 0x58000001, reinterpret_cast<void*>(-1), 2};
}

template <typename Function>
Function* symbol(void* library, const char* name) {
  void* const found = dlsym(library, name);
  if (found == nullptr) throw RanksFailure(std::string("Expected an MPI library but it has no ") + name);
  return reinterpret_cast<Function*>(found);
}

template <typename Handle>
class Bound final : public Mpi {
 public:
  Bound(void* library, std::string name, const Abi<Handle>& abi)
      : name_(std::move(name)),
        abi_(abi),
        init_(symbol<int(int*, char***, int, int*)>(library, "MPI_Init_thread")),
        initialized_(symbol<int(int*)>(library, "MPI_Initialized")),
        finalize_(symbol<int()>(library, "MPI_Finalize")),
        rank_(symbol<int(Handle, int*)>(library, "MPI_Comm_rank")),
        size_(symbol<int(Handle, int*)>(library, "MPI_Comm_size")),
        allreduce_(symbol<int(const void*, void*, int, Handle, Handle, Handle)>(library, "MPI_Allreduce")),
        bcast_(symbol<int(void*, int, Handle, int, Handle)>(library, "MPI_Bcast")),
        send_(symbol<int(const void*, int, Handle, int, int, Handle)>(library, "MPI_Send")),
        recv_(symbol<int(void*, int, Handle, int, int, Handle, void*)>(library, "MPI_Recv")),
        abort_(symbol<int(Handle, int)>(library, "MPI_Abort")) {}

  void init() override {
    int before = 0;
    check(initialized_(&before), "MPI_Initialized");
    if (before != 0) throw RanksFailure("Expected to be the one that calls MPI_Init but somebody in this process has");
    int provided = 0;
    check(init_(nullptr, nullptr, abi_.serialized, &provided), "MPI_Init_thread");
    if (provided < abi_.serialized) {
      throw RanksFailure("Expected an MPI with MPI_THREAD_SERIALIZED but " + name_ + " has less");
    }
  }
  void finalize() override { check(finalize_(), "MPI_Finalize"); }
  int rank() override {
    int rank = 0;
    check(rank_(abi_.world, &rank), "MPI_Comm_rank");
    return rank;
  }
  int size() override {
    int size = 1;
    check(size_(abi_.world, &size), "MPI_Comm_size");
    return size;
  }
  void sum(std::span<float> values) override { reduce(values, abi_.of_float, abi_.plus); }
  void sum(std::span<double> values) override { reduce(values, abi_.of_double, abi_.plus); }
  void largest(std::span<double> values) override { reduce(values, abi_.of_double, abi_.greatest); }
  void broadcast(std::span<char> bytes, int from) override {
    in_parts(bytes,
             [&](char* part, int count) { check(bcast_(part, count, abi_.byte, from, abi_.world), "MPI_Bcast"); });
  }
  void send(std::span<const std::byte> bytes, int to) override {
    in_parts(bytes, [&](const std::byte* part, int count) {
      check(send_(part, count, abi_.byte, to, kTag, abi_.world), "MPI_Send");
    });
  }
  void receive(std::span<std::byte> bytes, int from) override {
    // As large as an MPI_Status of any ABI: what stands for none is another in each.
    alignas(std::max_align_t) std::array<std::byte, 256> status{};
    in_parts(bytes, [&](std::byte* part, int count) {
      check(recv_(part, count, abi_.byte, from, kTag, abi_.world, status.data()), "MPI_Recv");
    });
  }
  void abort(int code) override { abort_(abi_.world, code); }
  [[nodiscard]] const std::string& library() const override { return name_; }

 private:
  // Counts are ints.
  static constexpr std::size_t kAtOnce = std::size_t{1} << 28;
  static constexpr int kTag = 0;

  static void check(int code, const char* call) {
    if (code != 0) throw RanksFailure(std::string(call) + " failed with the code " + std::to_string(code));
  }
  template <typename T, typename Body>
  static void in_parts(std::span<T> values, Body&& body) {
    for (std::size_t done = 0; done < values.size(); done += kAtOnce) {
      body(values.data() + done, static_cast<int>(std::min(kAtOnce, values.size() - done)));
    }
  }
  template <typename T>
  void reduce(std::span<T> values, Handle type, Handle how) {
    in_parts(values, [&](T* part, int count) {
      check(allreduce_(abi_.in_place, part, count, type, how, abi_.world), "MPI_Allreduce");
    });
  }

  const std::string name_;
  const Abi<Handle> abi_;
  int (*const init_)(int*, char***, int, int*);
  int (*const initialized_)(int*);
  int (*const finalize_)();
  int (*const rank_)(Handle, int*);
  int (*const size_)(Handle, int*);
  int (*const allreduce_)(const void*, void*, int, Handle, Handle, Handle);
  int (*const bcast_)(void*, int, Handle, int, Handle);
  int (*const send_)(const void*, int, Handle, int, int, Handle);
  int (*const recv_)(void*, int, Handle, int, int, Handle, void*);
  int (*const abort_)(Handle, int);
};

// What the library says of itself may be asked before it is initialised; of the standard ABI is what says so, for an
// MPICH 5 has libraries of both kinds with the same symbols.
std::unique_ptr<Mpi> bound(void* library, std::string name) {
  if (void* const asked = dlsym(library, "MPI_Abi_get_version")) {
    int major = 0, minor = 0;
    const int code = reinterpret_cast<int (*)(int*, int*)>(asked)(&major, &minor);
    if (code == 0 && major >= 1) return std::make_unique<Bound<void*>>(library, std::move(name), standard_abi());
  }
  if (dlsym(library, "ompi_mpi_comm_world") != nullptr) {
    return std::make_unique<Bound<void*>>(library, std::move(name), open_mpi_abi(library));
  }
  std::array<char, 8192> text{};
  int length = 0;
  symbol<int(char*, int*)>(library, "MPI_Get_library_version")(text.data(), &length);
  const std::string_view version(text.data());
  for (const std::string_view kin : {"MPICH", "Intel(R) MPI", "MVAPICH", "CRAY MPICH", "ParaStation"}) {
    if (version.find(kin) != std::string_view::npos) {
      return std::make_unique<Bound<int>>(library, std::move(name), mpich_abi());
    }
  }
  throw RanksFailure("Expected Open MPI, MPICH or an MPI of the standard ABI but " + name + " is " +
                     std::string(version.substr(0, 80)));
}

const char* variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

// Launcher and library have to be of the same MPI.
std::vector<const char*> names() {
#if defined(__APPLE__)
  return {"libmpi_abi.1.dylib", "libmpi.40.dylib", "libmpi.12.dylib", "libmpi.dylib"};
#else
  // Debian calls MPICH's by the name of its own.
  if (variable("OMPI_COMM_WORLD_SIZE") != nullptr) return {"libmpi.so.40", "libmpi_abi.so.1"};
  if (variable("PMI_SIZE") != nullptr) return {"libmpi_abi.so.1", "libmpi.so.12", "libmpich.so.12", "libmpi.so.40"};
  return {"libmpi_abi.so.1", "libmpi.so.40", "libmpi.so.12", "libmpich.so.12", "libmpi.so"};
#endif
}

void* open(const char* name) {
#if defined(__APPLE__)
  return dlopen(name, RTLD_LAZY | RTLD_GLOBAL);
#else
  return dlopen(name, RTLD_LAZY | RTLD_LOCAL);
#endif
}

// UCX, which many an MPI brings, tries its memory hooks by sbrk(page) and sbrk(-page) as it is loaded, and does not
// look at what the first says: where the heap cannot grow, since V8 has a page of code right above it, the second takes
// the heap's last page, whoever has it. So a page that nobody has is put there; where there is no room for one, UCX is
// told to do without hooks.
void keep_end_of_heap() {
#if defined(__linux__)
  const auto page = static_cast<std::intptr_t>(sysconf(_SC_PAGESIZE));
  if (sbrk(page) == reinterpret_cast<void*>(-1)) setenv("UCX_MEM_EVENTS", "n", 0);
#endif
}

// Processes that the launcher has started, as far as it says so.
int launched() {
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* const value = variable(name)) return std::atoi(value);
  }
  return 0;
}

}  // namespace

std::unique_ptr<Mpi> Mpi::load() {
  if (const char* const given = variable("DLADMM_MPI")) {
    if (void* const library = open(given)) return bound(library, given);
    throw RanksFailure(std::string("Expected DLADMM_MPI to name the library of an MPI but ") + dlerror());
  }
  void* const self = dlopen(nullptr, RTLD_LAZY);
  if (self != nullptr && dlsym(self, "MPI_Init_thread") != nullptr) return bound(self, "the MPI in this process");
  std::string tried;
  for (const char* const name : names()) {
    if (void* const library = open(name)) return bound(library, name);
    tried.append(tried.empty() ? "" : ", ").append(name);
  }
  throw RanksFailure("Expected an MPI for a distributed training but found none of " + tried +
                     ": install one (apt-get install openmpi-bin, dnf install openmpi, brew install open-mpi), and "
                     "start with its mpirun, or name its library by DLADMM_MPI");
}

namespace {

std::mutex joining;
World* world = nullptr;  // never destroyed

}  // namespace

World& World::join() {
  const std::lock_guard lock(joining);
  if (world == nullptr) {
    keep_end_of_heap();
    World* const made = new World();
    made->begin();
    if (const int size = launched(); size > made->size_ && made->size_ == 1) {
      throw RanksFailure("Expected " + std::to_string(size) + " ranks, as the launcher has started, but " +
                         made->library() +
                         " sees itself alone: launcher and library are of two MPIs (DLADMM_MPI names "
                         "the library)");
    }
    world = made;
  }
  return *world;
}

World* World::joined() {
  const std::lock_guard lock(joining);
  return world;
}

World::World() : mpi_(Mpi::load()) {}

void World::begin() {
  // Detached, as it may be within MPI when the process ends.
  std::thread([this] { serve(); }).detach();
  call([this] {
    mpi_->init();
    rank_ = mpi_->rank();
    size_ = mpi_->size();
  });
}

void World::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [this] { return work_ != nullptr; });
    const std::function<void()>& work = *work_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    work_ = nullptr;
    done_.notify_one();
  }
}

void World::call(const std::function<void()>& work) {
  const std::lock_guard turn(turn_);
  std::unique_lock lock(mutex_);
  work_ = &work;
  asked_.notify_one();
  done_.wait(lock, [this] { return work_ == nullptr; });
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

std::string World::broadcast(std::string text, int from) {
  call([&] {
    // Its length first.
    std::array<double, 1> length{rank_ == from ? static_cast<double>(text.size()) : 0};
    mpi_->largest(length);
    text.resize(static_cast<std::size_t>(length[0]));
    mpi_->broadcast(text, from);
  });
  return text;
}

void World::leave() {
  call([this] { mpi_->finalize(); });
}

void World::abort(int code) {
  constexpr std::chrono::seconds patience{2};
  if (turn_.try_lock_for(patience)) {
    turn_.unlock();
    call([&] { mpi_->abort(code); });
  } else {
    // Within a call that others may never come to: this is the end of all anyway.
    mpi_->abort(code);
  }
}

}  // namespace dladmm
