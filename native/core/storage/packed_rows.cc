#include "core/storage/packed_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/storage/tensor_file.hpp"

namespace dladmm {
namespace {

// Values of IEEE's binary16 by their bits.
const std::vector<float>& halves() {
  static const std::vector<float> all = [] {
    std::vector<float> values(std::size_t{1} << 16U);
    for (std::size_t bits = 0; bits < values.size(); ++bits) {
      const auto exponent = static_cast<int>((bits >> 10U) & 31U);
      const auto fraction = static_cast<float>(bits & 1023U);
      float value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      if (exponent == 31) {
        value = fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
      }
      values[bits] = (bits >> 15U) != 0 ? -value : value;
    }
    return values;
  }();
  return all;
}

}  // namespace

PackedRows::PackedRows(std::span<const std::byte> block, const std::string& name, std::size_t rows,
                       std::size_t columns) {
  constexpr std::array<std::size_t, 5> kBits = {1, 8, 16, 32, 64};
  const auto damaged = [&] { return Damaged(name + " is laid out wrongly"); };
  if (block.size() < columns) throw damaged();
  const auto type_of = [&](std::size_t column) { return std::to_integer<std::size_t>(block[column]); };
  std::size_t bytes = 0;  // of a row, so far
  std::size_t unit = 0;   // the widest type that there is
  std::size_t found = 0;
  for (std::size_t type = kBits.size(); type-- > 0;) {
    const std::size_t bits = kBits[type];
    const std::size_t begin = bytes * 8 / bits;
    std::size_t count = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      if (type_of(j) != type) continue;
      const bool goes_on = count > 0 && stretches_.back().column + stretches_.back().count == j;
      if (goes_on) {
        ++stretches_.back().count;
      } else {
        stretches_.push_back({static_cast<Type>(type), j, 1, begin + count});
      }
      ++count;
    }
    if (count > 0 && unit == 0) unit = (bits + 7) / 8;
    bytes += (count * bits + 7) / 8;
    found += count;
  }
  if (found < columns || unit == 0) throw damaged();
  const std::size_t head = (columns + 7) / 8 * 8;
  stride_ = (bytes + unit - 1) / unit * unit;
  if (block.size() != head + rows * stride_) throw damaged();
  first_ = block.data() + head;
  std::ranges::sort(stretches_, {}, &Stretch::column);
}

// Values of a stretch from the skipped-th on.
template <typename T>
void PackedRows::copy(const std::byte* row, const Stretch& from, std::size_t skipped, std::span<T> to) {
  const std::size_t at = from.at + skipped;
  const auto each = [&](const auto* values, auto&& value_of) {
    values += at;
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(value_of(values[i]));
  };
  const auto same = [](auto value) { return value; };
  const auto plain = [&](const auto* values) {
    if constexpr (std::is_same_v<decltype(values), const T*>) {
      std::copy_n(values + at, to.size(), to.data());
    } else {
      each(values, same);
    }
  };
  switch (from.type) {
    case Type::bit:
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] = static_cast<T>((std::to_integer<unsigned>(row[(at + i) / 8]) >> ((at + i) % 8)) & 1U);
      }
      return;
    case Type::byte:
      return plain(reinterpret_cast<const std::uint8_t*>(row));
    case Type::half:
      return each(reinterpret_cast<const std::uint16_t*>(row), [&table = halves()](auto bits) { return table[bits]; });
    case Type::single:
      return plain(reinterpret_cast<const float*>(row));
    case Type::wide:
      return plain(reinterpret_cast<const double*>(row));
  }
}

template <typename T>
void PackedRows::read(std::size_t row, std::span<T> out, std::span<double> rest) const {
  const std::byte* const at = first_ + row * stride_;
  for (const Stretch& stretch : stretches_) {
    const std::size_t end = stretch.column + stretch.count;
    const std::size_t features = stretch.column < out.size() ? std::min(end, out.size()) - stretch.column : 0;
    if (features > 0) copy(at, stretch, 0, out.subspan(stretch.column, features));
    if (features < stretch.count) {
      copy(at, stretch, features, rest.subspan(stretch.column + features - out.size(), stretch.count - features));
    }
  }
}

template void PackedRows::read(std::size_t, std::span<float>, std::span<double>) const;
template void PackedRows::read(std::size_t, std::span<double>, std::span<double>) const;

}  // namespace dladmm
