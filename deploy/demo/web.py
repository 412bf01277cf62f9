#!/usr/bin/env python3
"""The demo's web server: answers every GET with what it sells and on which host it runs."""
import http.server
import json
import socket
import sys


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"item": "herring", "price": 3, "served_by": socket.gethostname(),
                           "to": self.client_address[0]}).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4, as the socket is not restricted to IPv6


if __name__ == "__main__":
    Server(("::", int(sys.argv[1]) if len(sys.argv) > 1 else 80), Web).serve_forever()
