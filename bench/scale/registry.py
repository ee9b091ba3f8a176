"""A registry that has every tag of every image, for one digest each: `GET /v2/NAME/manifests/TAG` and no more."""

import hashlib
import http.server
import json
import sys


class Answer(http.server.BaseHTTPRequestHandler):
    """A manifest that says the path it was asked for."""

    def do_GET(self) -> None:
        """Answer with a manifest, its digest beside it."""
        body = json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{hashlib.sha256(self.path.encode()).hexdigest()}"}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body).hexdigest()}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
