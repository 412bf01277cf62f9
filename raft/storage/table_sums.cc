#include "raft/storage/table_sums.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/codec/crc32c.h"
#include "base/runtime/files.h"

namespace shoal::raft {
namespace {

constexpr size_t kEndBytes = 64U << 10;
constexpr std::string_view kSuffix = ".sum";

std::optional<uint32_t> sum_of_end(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return std::nullopt;
  const auto size = static_cast<size_t>(in.tellg());
  std::string end(std::min(size, kEndBytes), '\0');
  in.seekg(static_cast<std::streamoff>(size - end.size()));
  in.read(end.data(), static_cast<std::streamsize>(end.size()));
  if (!in) return std::nullopt;
  return crc32c(as_bytes(end));
}

Bytes encode(uint32_t sum) {
  ByteWriter out;
  out.u32(sum);
  out.u32(crc32c(out.view()));
  return out.take();
}

class TableSums final : public rocksdb::EventListener {
 public:
  void OnTableFileCreated(const rocksdb::TableFileCreationInfo& info) override {
    if (!info.status.ok()) return;
    const auto sum = sum_of_end(info.file_path);
    if (!sum) return;
    // Without it the file is only less well guarded.
    (void)write_file_atomic(info.file_path + std::string(kSuffix), as_text(encode(*sum)), 0600,
                            Outlives::kProcess);
  }
  void OnTableFileDeleted(const rocksdb::TableFileDeletionInfo& info) override {
    (void)remove_file(info.file_path + std::string(kSuffix));
  }
};

}  // namespace

std::shared_ptr<rocksdb::EventListener> make_table_sums() { return std::make_shared<TableSums>(); }

Status check_table_sums(const std::string& directory) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory, error)) {
    if (file.path().extension() != ".sst") continue;
    const std::string path = file.path();
    const auto noted = read_file(path + std::string(kSuffix));
    if (!noted) continue;
    ByteReader in(as_bytes(*noted));
    const uint32_t sum = in.u32();
    const bool torn = as_text(encode(sum)) != *noted;
    if (torn || sum_of_end(path) == sum) continue;
    return data_loss(path + " is not as it was written");
  }
  return ok_status();
}

}  // namespace shoal::raft
