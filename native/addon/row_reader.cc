// Rows of a store of samples (src/formats/sample-file.ts), read, checked and unpacked off the event loop into rooms, of
// which one is taken from while another is filled.
#include <fcntl.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/registry.hpp"
#include "addon/row_reader.hpp"
#include "addon/storage.hpp"
#include "core/linalg/matrix.hpp"
#include "core/storage/packed_rows.hpp"

namespace dladmm::addon {
namespace {

// Rows as they are asked for: features in type T, and in double what stands behind them.
template <typename T>
struct Room {
  Matrix<T> x;
  Matrix<double> rest;
  bool in_use = false;
};
template <typename T>
using Rooms = std::vector<Room<T>>;

// Blocks of a file, and for every row of them its place in a room, or −1 where nobody asks for it.
struct Reading {
  std::shared_ptr<OpenFile> file;
  std::vector<StoredSection> blocks;
  std::vector<std::int32_t> rows;  // of each block
  std::vector<std::int32_t> places;
  std::size_t columns = 0;
};

// Features are standardised where there is such a rule: (value − mean) · scale in double.
struct Rule {
  std::vector<double> mean;
  std::vector<double> scale;
};

// The first value that is not finite in the type that it is read in: which of the room, counted row by row.
struct Odd {
  std::size_t index;
  double value;
};

template <typename T>
void read_row(const PackedRows& from, std::size_t row, const Rule& rule, std::vector<double>& exact, std::span<T> out,
              std::span<double> rest) {
  if (rule.mean.empty()) return from.read(row, out, rest);
  from.read<double>(row, exact, rest);
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<T>((exact[j] - rule.mean[j]) * rule.scale[j]);
}

// x − x is 0 for finite x, NaN otherwise.
template <typename T>
bool is_finite(std::span<const T> values) {
  T doubt = 0;
#pragma omp simd reduction(+ : doubt)
  for (std::size_t j = 0; j < values.size(); ++j) doubt += values[j] - values[j];
  return doubt == 0;
}

template <typename T>
std::optional<Odd> read_blocks(const Reading& reading, const Rule& rule, MatrixView<T> x, MatrixView<double> rest,
                               const std::atomic<bool>& called_off) {
  std::vector<std::byte> bytes;
  std::vector<double> exact(x.columns);
  const int file = reading.file->descriptor();
  const std::uint64_t size = file_size(file);
  std::size_t first = 0;
  std::optional<Odd> odd;
#ifdef POSIX_FADV_WILLNEED
  // While one block is unpacked the disk finds the others.
  for (const StoredSection& block : reading.blocks) {
    static_cast<void>(
        posix_fadvise(file, static_cast<off_t>(block.offset), static_cast<off_t>(block.bytes), POSIX_FADV_WILLNEED));
  }
#endif
  for (std::size_t i = 0; i < reading.blocks.size(); ++i) {
    const StoredSection& block = reading.blocks[i];
    if (block.bytes > size) throw Damaged("the file ends within \"" + block.name + '"');
    bytes.resize(block.bytes);
    const std::vector<Section> into{{block.name, bytes}};
    read_sections(file, into, std::span(&block, 1), called_off);
    const auto count = static_cast<std::size_t>(reading.rows[i]);
    const PackedRows rows(bytes, block.name, count, reading.columns);
    for (std::size_t row = 0; row < count; ++row) {
      const std::int32_t place = reading.places[first + row];
      if (place < 0) continue;
      const auto at = static_cast<std::size_t>(place);
      const std::span<T> out(x.row(at), x.columns);
      read_row<T>(rows, row, rule, exact, out, {rest.row(at), rest.columns});
      if (odd || is_finite<T>(out)) continue;
      const auto bad = std::ranges::find_if_not(out, [](T value) { return std::isfinite(value); });
      odd = {at * x.columns + static_cast<std::size_t>(bad - out.begin()), static_cast<double>(*bad)};
    }
    first += count;
  }
  return odd;
}

// RowReader({ dtype, columns, features, rows, mean?, scale?, input? }): two rooms for `rows` rows of `columns` columns
// each, the first `features` of them features; or one without features, which go to as many rows of `input`.
class RowReader : public Handle<RowReader> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {InstanceMethod<&RowReader::read>("read"), InstanceMethod<&RowReader::take>("take"),
            InstanceMethod<&RowReader::close>("close")};
  }

  explicit RowReader(const Napi::CallbackInfo& info) : Handle<RowReader>(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    columns_ = member_size(options, "columns");
    features_ = member_size(options, "features");
    const std::size_t rows = member_size(options, "rows");
    if (features_ < 1 || features_ >= columns_) reject(env, "features must be from 1 to the columns");
    if (options.Has("mean")) rule_ = {doubles_member(options, "mean"), doubles_member(options, "scale")};
    if (rule_.mean.size() != rule_.scale.size() || (!rule_.mean.empty() && rule_.mean.size() != features_)) {
      reject(env, "one mean and one scale a feature are needed");
    }
    const bool into = options.Has("input");
    const double bytes = in_type_of(options, [&]<typename T>(T) {
      if (into) {
        const Napi::Value given = options.Get("input");
        const auto* const target = given.IsExternal() ? given.As<Napi::External<RowTarget>>().Data() : nullptr;
        const auto* const input = target == nullptr ? nullptr : std::get_if<RowsOf<T>>(target);
        const bool fits = input != nullptr && input->rows.rows == rows && input->rows.columns == features_;
        if (!fits) reject(env, "input must be that of a state of the same type and size");
        input_ = *input;
      }
      Rooms<T> rooms(into ? 1 : 2);
      for (Room<T>& room : rooms) {
        room.rest = Matrix<double>(rows, columns_ - features_);
        if (!into) room.x = Matrix<T>(rows, features_);
      }
      const double row = (into ? 0.0 : sizeof(T) * features_) + sizeof(double) * (columns_ - features_);
      const double held = static_cast<double>(rooms.size() * rows) * row;
      rooms_ = std::move(rooms);
      return held;
    });
    start_jobs(env, JobQueue::Kind::serving);
    account(env, bytes);
  }

  ~RowReader() override { end(this->Env()); }
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

 private:
  // room argument(info, 0), which nobody is filling
  template <typename T>
  static Room<T>& free_room(const Napi::CallbackInfo& info, Rooms<T>& rooms) {
    const std::size_t number = size_argument(info, 0, "room");
    if (number >= rooms.size()) reject(info.Env(), "no such room");
    if (rooms[number].in_use) reject(info.Env(), "the room is being filled");
    return rooms[number];
  }

  // read(room, file, blocks: [{ name, offset, bytes, checksum }], rows: Int32Array of each block, places: Int32Array of
  // each row) → Promise of { index, value } of the first feature that is not finite, or of undefined
  Napi::Value read(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    need_open(env);
    auto reading = std::make_shared<Reading>(Reading{open_file_argument(info, 1), stored_sections_argument(info, 2),
                                                     int32_argument(info, 3, "rows"), int32_argument(info, 4, "places"),
                                                     columns_});
    if (reading->rows.size() != reading->blocks.size()) reject(env, "one number of rows a block is needed");
    std::size_t rows = 0;
    for (const std::int32_t count : reading->rows) {
      if (count < 0) reject(env, "a block cannot have fewer than no rows");
      rows += static_cast<std::size_t>(count);
    }
    if (rows != reading->places.size()) reject(env, "one place a row is needed");
    return std::visit(
        [&]<typename T>(Rooms<T>& rooms) -> Napi::Value {
          Room<T>& room = free_room(info, rooms);
          const auto most = static_cast<std::int64_t>(room.rest.rows());
          if (std::ranges::any_of(reading->places, [&](std::int32_t place) { return place < -1 || place >= most; })) {
            reject(env, "a place must be in the room, or -1");
          }
          const auto odd = std::make_shared<std::optional<Odd>>();
          const auto promise = later(
              env,
              [this, reading, &room, odd] {
                MatrixView<T> x = room.x.view();
                std::shared_ptr<void> alive;
                if (const auto* const input = std::get_if<RowsOf<T>>(&input_)) {
                  alive = input->state.lock();
                  if (!alive) throw CalledOff();
                  x = input->rows;
                }
                *odd = read_blocks<T>(*reading, rule_, x, room.rest.view(), called_off());
              },
              [&room, odd](Napi::Env there) -> Napi::Value {
                room.in_use = false;
                if (!*odd) return there.Undefined();
                Napi::Object found = Napi::Object::New(there);
                found.Set("index", static_cast<double>((*odd)->index));
                found.Set("value", (*odd)->value);
                return found;
              });
          room.in_use = true;
          return promise;
        },
        rooms_);
  }

  // Copies rows to argument i. Returns how many.
  template <typename T>
  static std::size_t take_rows(const Napi::CallbackInfo& info, std::size_t i, MatrixView<T> from, std::size_t first) {
    const Napi::Env env = info.Env();
    const auto type = sizeof(T) == 4 ? napi_float32_array : napi_float64_array;
    if (!info[i].IsTypedArray() || info[i].As<Napi::TypedArray>().TypedArrayType() != type) {
      reject(env, "rows are taken in their type");
    }
    auto to = info[i].As<Napi::TypedArrayOf<T>>();
    const std::size_t count = from.columns == 0 ? 0 : to.ElementLength() / from.columns;
    if (to.ElementLength() != count * from.columns) reject(env, "whole rows must be taken");
    if (first > from.rows || count > from.rows - first) reject(env, "a room has fewer rows");
    std::ranges::copy(from.rows_from(first, count).flat(), to.Data());
    return count;
  }

  // take(room, first, rest, x?): copies rows from `first` on, as many as there is place for.
  Napi::Value take(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    need_open(env);
    const std::size_t first = size_argument(info, 1, "first");
    return std::visit(
        [&]<typename T>(Rooms<T>& rooms) -> Napi::Value {
          const Room<T>& room = free_room(info, rooms);
          const std::size_t count = take_rows<double>(info, 2, room.rest.view(), first);
          const bool all = info[3].IsUndefined() || take_rows<T>(info, 3, room.x.view(), first) == count;
          if (!all) reject(env, "as many features must be taken as stand before the rest");
          return env.Undefined();
        },
        rooms_);
  }

  void close(const Napi::CallbackInfo& info) {
    // What has been read still arrives, and looks at its room.
    const auto give_back = [](auto& rooms) {
      for (auto& room : rooms) room.x = {}, room.rest = {};
    };
    if (end(info.Env())) std::visit(give_back, rooms_);
  }

  std::size_t columns_ = 0;
  std::size_t features_ = 0;
  Rule rule_;
  std::variant<Rooms<float>, Rooms<double>> rooms_;
  std::variant<std::monostate, RowsOf<float>, RowsOf<double>> input_;
};

const Exported<RowReader> exported("RowReader");

}  // namespace
}  // namespace dladmm::addon
