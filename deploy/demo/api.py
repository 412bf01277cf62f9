#!/usr/bin/env python3
"""The demo's API: for every GET it asks the web server, found by name, and adds its own part."""
import http.server
import json
import socket
import sys
import urllib.error
import urllib.request

UPSTREAM = "http://web/"
UPSTREAM_SECONDS = 5


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with urllib.request.urlopen(UPSTREAM, timeout=UPSTREAM_SECONDS) as answer:
                goods, status = json.load(answer), 200
        except (urllib.error.URLError, OSError, ValueError) as error:
            goods, status = {"error": f"{UPSTREAM}: {error}"}, 502
        body = json.dumps({"api_on": socket.gethostname(), "web": goods}).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6  # and IPv4, as the socket is not restricted to IPv6


if __name__ == "__main__":
    Server(("::", int(sys.argv[1]) if len(sys.argv) > 1 else 80), Api).serve_forever()
