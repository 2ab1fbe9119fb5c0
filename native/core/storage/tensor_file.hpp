// Sections of a state as a file in the safetensors format, written from the memory where they live and read back into
// it: eight bytes with the header's length (little-endian), the header as JSON, the values without a gap.
// https://github.com/huggingface/safetensors describes the format.
//
// The header begins {"__metadata__":{"checksum":"0123456789abcdef","sections":"…", so a reader knows where its own
// checksum stands: of the length and the header, with zeros for its digits. "sections" lists the checksums of the
// values, 16 digits each, in the order of the tensors. Together they cover every byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/linalg/section.hpp"
#include "core/runtime/ranks.hpp"
#include "core/runtime/row_file.hpp"

namespace dladmm {

// A section that a file holds: where, and the checksum that it was written with.
struct StoredSection {
  std::string name;
  std::uint64_t offset = 0;  // from the beginning of the file
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;
};

// The work was called off in the middle.
struct CalledOff : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "called off while a file was written or read"; }
};

// A file, or what it says, is not what was expected.
struct Damaged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The checksum that stands in a header, computed from the header's text, its digits taken for zeros; Damaged where the
// text does not begin as it should.
[[nodiscard]] std::uint64_t header_checksum(std::string_view header);

// Writes sections to an empty file from its beginning on, and has the system put them on the disk. `metadata` goes into
// the header as it is: members of a JSON object without the braces, or nothing. Returns the size of the file.
// Where samples are spread over ranks the first of these writes the rows of all, in their order, as one process would;
// the others send them at the same time. Throws FileFailure, CalledOff.
std::uint64_t write_sections(int file, std::vector<Section> sections, std::string_view metadata,
                             const std::atomic<bool>& called_off, const Share& share = {});
void send_sections(std::vector<Section> sections, const Share& share);

// Fills sections from a file. Each must be among `stored`, with as many bytes and the checksum that goes with them. Of
// a section with a row a sample the file has the rows of all ranks, and this one takes its own. Throws Damaged,
// FileFailure, CalledOff.
void read_sections(int file, std::span<const Section> sections, std::span<const StoredSection> stored,
                   const std::atomic<bool>& called_off, const Share& share = {});

// The size of an open file. Throws FileFailure.
[[nodiscard]] std::uint64_t file_size(int file);

// Bytes of values, of all ranks.
[[nodiscard]] std::uint64_t bytes_of(std::span<const Section> sections, const Share& share = {});

}  // namespace dladmm
