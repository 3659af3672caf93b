"""An S3 server some milliseconds away: a proxy before versitygw that adds a delay to every request and counts them, their bytes and their rounds."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.s3 import S3Server


class DelayedS3:
    def __init__(self, folder, delay_ms):
        self.server = S3Server(folder)
        self.delay_s = delay_ms / 1000
        self.requests = 0
        self.bytes_sent = 0  # bodies of answers
        self.spans = []  # (arrival, end) of every request, in seconds of the performance counter
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # As servers do. Without it the body of a small answer waits for the acknowledgement of its header, which a system may put
            # off by 40 ms: more than the delay that is to be measured.
            disable_nagle_algorithm = True
            upstream = None

            def forward(self):
                arrived = time.perf_counter()
                with outer.lock:
                    outer.requests += 1
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                if self.upstream is None:
                    self.upstream = http.client.HTTPConnection("127.0.0.1", outer.server.port)
                self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    self.upstream.putheader(name, value)
                self.upstream.endheaders(body)
                answer = self.upstream.getresponse()
                data = answer.read()
                time.sleep(max(0.0, outer.delay_s - (time.perf_counter() - arrived)))
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                if self.command == "HEAD":
                    self.send_header("Content-Length", answer.getheader("Content-Length") or "0")
                else:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                with outer.lock:
                    outer.bytes_sent += len(data)
                    outer.spans.append((arrived, time.perf_counter()))

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.request_queue_size = 128
        self.proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.proxy.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.proxy.server_address[1]}"
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()

    def rounds(self, since=0):
        """The longest chain of requests, from number `since` on, that each began after the one before had ended."""
        chain, free_at = 0, 0.0
        for begin, end in sorted(self.spans[since:], key=lambda span: span[1]):
            if begin >= free_at:
                chain, free_at = chain + 1, end
        return chain

    def environment(self):
        return self.server.environment(self.endpoint)

    def storage_options(self):
        return self.server.storage_options(self.endpoint)

    def new_bucket(self):
        return self.server.new_bucket()

    def stop(self):
        self.proxy.shutdown()
        self.server.stop()
