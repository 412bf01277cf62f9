#include "gossip/driver/streams.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <future>
#include <thread>

#include "base/runtime/system_ports.h"

namespace shoal::gossip {
namespace {

using std::chrono::milliseconds;
namespace asio = boost::asio;

TEST(Streams, AProbeTellsHowFarItGets) {
  using asio::ip::tcp;
  SystemClock clock;
  Strand strand;
  strand.start("streams-test");
  std::unique_ptr<Streams> streams;
  const auto any = tcp::endpoint(asio::ip::address_v4::loopback(), 0);
  strand.call([&] {
    streams = std::make_unique<Streams>(strand, clock, tcp::acceptor(strand.context(), any),
                                        Streams::Hooks{});
    return 0;
  });
  const auto probe = [&](uint16_t port) {
    std::promise<std::pair<Reach, bool>> done;
    strand.call([&] {
      streams->probe({Ip::v4(0x7f000001), port}, Bytes(100), milliseconds(300),
                     [&done](Reach reach, std::optional<Bytes> answer) {
                       done.set_value({reach, answer.has_value()});
                     });
      return 0;
    });
    return done.get_future().get();
  };
  asio::io_context context;
  // Nobody accepts: the kernel does it alone.
  tcp::acceptor silent(context, any);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(probe(silent.local_endpoint().port()), std::pair(Reach::kStalled, false));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(290));
  tcp::acceptor hasty(context, any);
  std::thread closing([&] { hasty.accept().close(); });
  EXPECT_EQ(probe(hasty.local_endpoint().port()), std::pair(Reach::kRefused, false));
  closing.join();
  tcp::acceptor gone(context, any);
  const uint16_t port = gone.local_endpoint().port();
  gone.close();
  EXPECT_EQ(probe(port), std::pair(Reach::kRefused, false));
  strand.call([&] {
    streams.reset();
    return 0;
  });
  strand.stop();
}

}  // namespace
}  // namespace shoal::gossip
