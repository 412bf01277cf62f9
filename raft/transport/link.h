// Link: one TLS connection between two members, on the strand: frames of a length (4 bytes, big
// endian) and so many bytes.
//
// The strand's thread reads and writes the socket itself: a message goes from one core to another
// without a third thread, which gRPC's streams cannot (docs/adr/0005). What dials begins with
// kPreface in clear, which tells these connections from gRPC's on the same port; then comes TLS.
//
// Who is silent: connecting, handshake and first frame (until settle()) have kLinkDeadline; later
// the kernel ends a connection whose bytes nobody acknowledged for so long (TCP_USER_TIMEOUT).
//
// Thread rule: the strand, but for the destructor.
#pragma once

#include <openssl/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/runtime/unique_fd.h"
#include "base/types/ip.h"
#include "base/types/result.h"

namespace boost::asio {
class io_context;
namespace ssl {
class context;
}
}  // namespace boost::asio

namespace shoal::raft {

// The first byte is none of TLS (0x16) and none of HTTP/2's.
inline constexpr std::string_view kPreface = "\x01shoal-raft 1\n";
inline constexpr std::chrono::seconds kLinkDeadline{3};
// Before settle() and after.
inline constexpr size_t kMaxFirstFrame = 4096;
inline constexpr size_t kMaxFrame = 4U << 20;
inline constexpr size_t kFrameHeader = 4;

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

class Link {
 public:
  struct Handlers {
    // The handshake is done; `tls` has the certificate of the other side. An error ends the link.
    std::function<Status(SSL& tls)> secured;
    // The bytes are there during the call. An error ends the link.
    std::function<Status(std::string_view frame)> frame;
    // What write() was given is with the kernel.
    std::function<void()> written;
    // Of itself or by the other side; the last call.
    std::function<void(const Error& why)> ended;
  };

  // Nothing is called before these return.
  static std::shared_ptr<Link> dial(boost::asio::io_context& context, const HostPort& address,
                                    TlsContext tls, Handlers handlers);
  static std::shared_ptr<Link> take(boost::asio::io_context& context, UniqueFd socket,
                                    TlsContext tls, Handlers handlers);
  virtual ~Link() = default;

  // The other side is known to be what it should be: it may take its time and send large frames.
  virtual void settle() = 0;
  // One at a time: the next after written().
  virtual void write(std::shared_ptr<const std::string> frames) = 0;
  // Sends what is under way and `last`, then ends when the other side does, or soon. Nothing is
  // called any more but ended().
  virtual void finish(std::string last = {}) = 0;
  // Ends now; nothing is called any more.
  virtual void close() = 0;
};

// Appends a frame with `message` (protobuf) to `out`.
template <typename M>
void add_frame(const M& message, std::string& out) {
  const size_t size = message.ByteSizeLong();
  const size_t at = out.size();
  out.resize(at + kFrameHeader + size);
  for (size_t i = 0; i < kFrameHeader; ++i) {
    out[at + i] = static_cast<char>(size >> (8 * (kFrameHeader - 1 - i)));
  }
  message.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t*>(out.data() + at + kFrameHeader));
}

}  // namespace shoal::raft
