// Runs a fuzz target as an ordinary test: every file of its corpus, then mutations of them.
//
// Each mutation depends on the seed and its number alone. An input that crashes the target is
// printed in hexadecimal, to be put into the corpus. SHOAL_FUZZ_SECONDS goes on for so long,
// SHOAL_FUZZ_ROUNDS for so many mutations; SHOAL_FUZZ_SEED begins elsewhere. SHOAL_FUZZ_INPUT is
// one input in hexadecimal, to be run alone.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "base/codec/text.h"
#include "base/ports/ports.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Of the sanitizers, when the program is built with one.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

#ifndef SHOAL_FUZZ_DEFAULT_ROUNDS
#define SHOAL_FUZZ_DEFAULT_ROUNDS 100000  // a few seconds
#endif

namespace shoal {
namespace {

using Input = std::vector<uint8_t>;

constexpr uint64_t kDefaultRounds = SHOAL_FUZZ_DEFAULT_ROUNDS;
constexpr uint64_t kDefaultSeed = 20240601;
constexpr size_t kMaxInput = 4096;

// What the crash handler writes out.
const uint8_t* current_data = nullptr;
size_t current_size = 0;

uint64_t setting(const char* name, uint64_t fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : fallback;
}

// Only what is allowed in a signal handler: the input in hexadecimal on stderr.
void show_input() {
  constexpr char kDigits[] = "0123456789abcdef";
  constexpr char kHead[] = "\nfuzz input that failed (hex): ";
  (void)!write(STDERR_FILENO, kHead, sizeof kHead - 1);
  for (size_t i = 0; i < current_size; ++i) {
    const char pair[] = {kDigits[current_data[i] >> 4], kDigits[current_data[i] & 15]};
    (void)!write(STDERR_FILENO, pair, sizeof pair);
  }
  (void)!write(STDERR_FILENO, "\n", 1);
}

void on_crash(int signal_number) {
  show_input();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void run(const Input& input) {
  // An allocation of exactly this size, so that a sanitizer sees a read behind its end.
  const Input exact(input);
  current_data = exact.data();
  current_size = exact.size();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current_size = 0;
}

std::vector<Input> corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(SHOAL_FUZZ_CORPUS)) {
    paths.push_back(file.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Input> inputs;
  for (const auto& path : paths) {
    std::ifstream stream(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return inputs;
}

void mutate(Input& input, const std::vector<Input>& all, Rng& rng) {
  const auto place = [&] { return static_cast<long>(rng.below(input.size() + 1)); };
  const Input& other = all[rng.below(all.size())];
  switch (rng.below(7)) {
    case 0:
      if (!input.empty()) input[rng.below(input.size())] = static_cast<uint8_t>(rng.next());
      break;
    case 1:
      if (!input.empty())
        input[rng.below(input.size())] ^= static_cast<uint8_t>(1U << rng.below(8));
      break;
    case 2:
      input.resize(rng.below(input.size() + 1));
      break;
    case 3:
      input.insert(input.begin() + place(), static_cast<uint8_t>(rng.next()));
      break;
    case 4:  // a value that parsers stumble over
      if (!input.empty()) {
        static const uint8_t kEdges[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff};
        input[rng.below(input.size())] = kEdges[rng.below(std::size(kEdges))];
      }
      break;
    case 5:  // a stretch doubled
      if (!input.empty()) {
        const size_t from = rng.below(input.size());
        const size_t size = 1 + rng.below(std::min<size_t>(input.size() - from, 64));
        const Input stretch(input.begin() + static_cast<long>(from),
                            input.begin() + static_cast<long>(from + size));
        input.insert(input.begin() + place(), stretch.begin(), stretch.end());
      }
      break;
    default:  // the tail of another
      input.resize(rng.below(input.size() + 1));
      input.insert(input.end(), other.begin() + static_cast<long>(rng.below(other.size() + 1)),
                   other.end());
  }
  if (input.size() > kMaxInput) input.resize(kMaxInput);
}

class Fuzz : public ::testing::Test {
 protected:
  void SetUp() override {
    signal(SIGABRT, on_crash);
    if (__sanitizer_set_death_callback != nullptr) {
      __sanitizer_set_death_callback(show_input);  // its own handlers say more of the others
    } else {
      for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(number, on_crash);
    }
    ASSERT_FALSE(corpus().empty()) << "no corpus in " << SHOAL_FUZZ_CORPUS;
  }
};

std::optional<Input> given() {
  const char* text = std::getenv("SHOAL_FUZZ_INPUT");
  if (text == nullptr) return std::nullopt;
  const Result<Bytes> input = from_hex(text);
  EXPECT_TRUE(input.ok()) << "SHOAL_FUZZ_INPUT is not hexadecimal";
  return input.ok() ? *input : Input();
}

TEST_F(Fuzz, Corpus) {
  if (const auto input = given()) return run(*input);
  for (const Input& input : corpus()) run(input);
}

TEST_F(Fuzz, Mutations) {
  if (given()) return;
  const std::vector<Input> all = corpus();
  const uint64_t seed = setting("SHOAL_FUZZ_SEED", kDefaultSeed);
  const uint64_t rounds = setting("SHOAL_FUZZ_ROUNDS", kDefaultRounds);
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = std::chrono::seconds(setting("SHOAL_FUZZ_SECONDS", 0));
  uint64_t round = 0;
  for (; round < rounds || std::chrono::steady_clock::now() - begin < seconds; ++round) {
    SeededRng rng(seed + round);
    Input input = all[rng.below(all.size())];
    for (uint64_t i = 1 + rng.below(6); i > 0; --i) mutate(input, all, rng);
    run(input);
  }
  std::printf("%lu inputs\n", round);
}

}  // namespace
}  // namespace shoal
