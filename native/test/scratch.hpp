#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace dladmm::test {

// A file of its own that is gone when the test is.
class Scratch {
 public:
  Scratch() {
    std::string name =
        std::string(std::getenv("TMPDIR") == nullptr ? "/tmp" : std::getenv("TMPDIR")) + "/dladmm-XXXXXX";
    file_ = mkstemp(name.data());
    unlink(name.c_str());
  }
  ~Scratch() { close(file_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] int file() const { return file_; }
  [[nodiscard]] std::vector<char> bytes() const {
    struct stat info {};
    fstat(file_, &info);
    std::vector<char> out(static_cast<std::size_t>(info.st_size));
    static_cast<void>(!pread(file_, out.data(), out.size(), 0));
    return out;
  }
  void replace(const std::vector<char>& bytes) const {
    static_cast<void>(!ftruncate(file_, static_cast<off_t>(bytes.size())));
    static_cast<void>(!pwrite(file_, bytes.data(), bytes.size(), 0));
  }

 private:
  int file_ = -1;
};

}  // namespace dladmm::test
