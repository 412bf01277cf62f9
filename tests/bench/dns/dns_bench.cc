// Local answers per second of one resolver, asked from inside a namespace through the redirection
// of port 53 that the data plane installs.
//
//   dns_bench [--threads N] [--window N] [--seconds N] [--entries N] [--direct]
//
// Each thread keeps `window` questions in flight on a socket of its own; window 1 gives the round
// trip of a single question. --direct asks the resolver's port itself, without the redirection.
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/runtime/system_ports.h"
#include "vxlan/filter/render.h"
#include "worker/dns/server/dns_server.h"
#include "worker/dns/server/test_net.h"

namespace shoal::worker::dns {
namespace {

using std::chrono::steady_clock;

struct Options {
  int threads = 2;
  int window = 32;
  int seconds = 5;
  int entries = 100000;
  bool direct = false;
};

struct Tally {
  uint64_t answers = 0;
  uint64_t lost = 0;  // not answered within 100 ms
  std::vector<uint32_t> round_trips_us;
};

constexpr size_t kMaxWindow = 256;
constexpr int kNames = 64;  // different questions asked

// One window after the other: all sent by one call, then received until all are there.
void ask_until(const Fd& fd, const Options& options, steady_clock::time_point end, Tally& tally) {
  const auto window = static_cast<size_t>(options.window);
  std::vector<Bytes> queries;
  for (int i = 0; i < kNames; ++i) {
    const int entry = static_cast<int>(static_cast<int64_t>(i) * options.entries / kNames);
    queries.push_back(query_packet("endpoint-" + std::to_string(entry), rr::kA, true));
  }
  std::vector<std::array<uint8_t, 512>> buffers(window);
  std::vector<iovec> out_vectors(window);
  std::vector<iovec> in_vectors(window);
  std::vector<mmsghdr> out(window);
  std::vector<mmsghdr> in(window);
  timeval patience{.tv_sec = 0, .tv_usec = 100000};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (size_t i = 0; i < window; ++i) {
    Bytes& query = queries[i % queries.size()];
    out_vectors[i] = {query.data(), query.size()};
    in_vectors[i] = {buffers[i].data(), buffers[i].size()};
    out[i].msg_hdr.msg_iov = &out_vectors[i];
    in[i].msg_hdr.msg_iov = &in_vectors[i];
    out[i].msg_hdr.msg_iovlen = in[i].msg_hdr.msg_iovlen = 1;
  }
  while (steady_clock::now() < end) {
    const auto start = steady_clock::now();
    sendmmsg(fd.get(), out.data(), static_cast<unsigned>(window), 0);
    size_t got = 0;
    while (got < window) {
      const int count = recvmmsg(fd.get(), in.data(), static_cast<unsigned>(window - got),
                                 MSG_WAITFORONE, nullptr);
      if (count <= 0) break;
      for (int i = 0; i < count; ++i) {
        SHOAL_CHECK((buffers[static_cast<size_t>(i)][3] & 15) == 0 &&
                        buffers[static_cast<size_t>(i)][7] == 1,
                    "an answer with one address");
      }
      got += static_cast<size_t>(count);
    }
    tally.answers += got;
    tally.lost += window - got;
    tally.round_trips_us.push_back(static_cast<uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start)
            .count()));
  }
}

void fill(NameTable& names, int entries) {
  for (int i = 0; i < entries; ++i) {
    const std::string number = std::to_string(i);
    names.upsert({.network = NetworkId("bench"),
                  .network_name = "benchnet",
                  .key = "key" + number,
                  .name = "endpoint-" + number,
                  .aliases = {"alias-" + std::to_string(i % 1000)},
                  .ips = {Ip::v4(0x0a000000U + static_cast<uint32_t>(i))}});
  }
}

void redirect(const TestNetns& netns, uint16_t port) {
  const std::string done =
      shell("nsenter --net=" + netns.path() + " nft '" + vxlan::render_dns_table(port) + "'");
  SHOAL_CHECK(done.empty(), done.c_str());
}

// Of the calling thread.
double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

int run(const Options& options) {
  SHOAL_CHECK(enter_fresh_host_namespace(), "needs root");
  Strand strand;
  SystemClock clock;
  SystemRng rng;
  std::optional<DnsServer> server;
  const TestNetns netns;
  strand.start("dns-bench");
  const uint16_t port = strand.call([&]() -> uint16_t {
    server.emplace(strand, clock, rng);
    fill(server->names(), options.entries);
    return *server->serve("bench", netns.fd(), {NetworkId("bench")}, true);
  });
  if (!options.direct) redirect(netns, port);

  const double cpu_before = strand.call(cpu_seconds);
  std::vector<Tally> tallies(static_cast<size_t>(options.threads));
  std::vector<std::thread> threads;
  const auto start = steady_clock::now();
  const auto end = start + std::chrono::seconds(options.seconds);
  for (Tally& tally : tallies) {
    threads.emplace_back([&] {
      const Fd fd = netns.connect(SOCK_DGRAM, options.direct ? port : 53);
      ask_until(fd, options, end, tally);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(steady_clock::now() - start).count();
  const double cpu = strand.call(cpu_seconds) - cpu_before;
  strand.call([&] { server.reset(); });

  Tally all;
  for (const Tally& tally : tallies) {
    all.answers += tally.answers;
    all.lost += tally.lost;
    all.round_trips_us.insert(all.round_trips_us.end(), tally.round_trips_us.begin(),
                              tally.round_trips_us.end());
  }
  std::sort(all.round_trips_us.begin(), all.round_trips_us.end());
  const auto quantile = [&](double q) {
    return all.round_trips_us[static_cast<size_t>(
        q * static_cast<double>(all.round_trips_us.size() - 1))];
  };
  std::printf(
      "answers_per_second=%.0f resolver_cpu_us_per_answer=%.2f lost=%lu window_us_p50=%u "
      "window_us_p99=%u threads=%d window=%d "
      "entries=%d direct=%d\n",
      static_cast<double>(all.answers) / seconds,
      cpu * 1e6 / static_cast<double>(std::max<uint64_t>(all.answers, 1)),
      static_cast<unsigned long>(all.lost), quantile(0.5), quantile(0.99), options.threads,
      options.window, options.entries, options.direct ? 1 : 0);
  return 0;
}

int usage() {
  std::fprintf(stderr,
               "dns_bench [--threads N] [--window N (at most 256)] [--seconds N] [--entries N] "
               "[--direct]\n");
  return 2;
}

int parse_and_run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--direct") {
      options.direct = true;
      continue;
    }
    const int value = i + 1 < argc ? std::atoi(argv[++i]) : 0;
    if (value <= 0) return usage();
    if (flag == "--threads") {
      options.threads = value;
    } else if (flag == "--window" && static_cast<size_t>(value) <= kMaxWindow) {
      options.window = value;
    } else if (flag == "--seconds") {
      options.seconds = value;
    } else if (flag == "--entries") {
      options.entries = value;
    } else {
      return usage();
    }
  }
  return run(options);
}

}  // namespace
}  // namespace shoal::worker::dns

int main(int argc, char** argv) { return shoal::worker::dns::parse_and_run(argc, argv); }
