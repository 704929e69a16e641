"""What a first visit costs: bytes over the network, and time until one can do something."""

import contextlib
import gzip
import unittest
import urllib.error
import urllib.request

from harness import BrowserTest, expect

LARGEST = 150_000
# Generous: machines that test do other things too. docs/performance.md has what was measured.
SLOWEST = 5_000

# Notes when a page first has something to use.
WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("nav a, form button")) return;
  window.usableAt = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""


class Load(BrowserTest):
    def first_load(self, path: str) -> tuple[int, float]:
        """Bytes that came over the network, headers included, and milliseconds until the page was of use."""
        with contextlib.closing(self.browser.new_context(locale="en-GB")) as context:
            page = context.new_page()
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.add_init_script(WATCH)
            network = context.new_cdp_session(page)
            network.send("Network.enable")
            sizes: list[float] = []
            hosts: set[str] = set()
            network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
            page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
            page.goto(self.demo.url + path, wait_until="networkidle")
            page.wait_for_function("window.usableAt")
            self.assertEqual(hosts, {self.demo.url.split("/")[2]})
            self.assertGreater(len(sizes), 10)
            return int(sum(sizes)), page.evaluate("window.usableAt")

    def test_the_first_load_is_small_and_quick(self):
        for path in ("/", "/d/mine/", "/demo/d/alice-laptop/"):
            with self.subTest(path=path):
                size, time = self.first_load(path)
                self.assertLess(size, LARGEST)
                self.assertLess(time, SLOWEST)

    def ask(self, path: str, **fields: str):
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            return urllib.request.urlopen(urllib.request.Request(self.demo.url + path, headers=names))
        except urllib.error.HTTPError as error:
            return error

    def test_files_go_compressed_to_whom_understands_it(self):
        with self.ask("/web/js/main.js") as answer:
            plain, tag = answer.read(), answer.headers["etag"]
            self.assertIsNone(answer.headers["content-encoding"])
            self.assertEqual(answer.headers["vary"], "accept-encoding")
        with self.ask("/web/js/main.js", accept_encoding="br, gzip") as answer:
            packed, packed_tag = answer.read(), answer.headers["etag"]
            self.assertEqual(answer.headers["content-encoding"], "gzip")
            self.assertEqual(answer.headers["content-type"], "text/javascript; charset=utf-8")
        self.assertLess(len(packed), len(plain) // 2)
        self.assertEqual(gzip.decompress(packed), plain)
        self.assertNotEqual(tag, packed_tag)
        for fields, status in (
            ({"if_none_match": packed_tag, "accept_encoding": "gzip"}, 304),
            ({"if_none_match": packed_tag}, 200),
            ({"if_none_match": tag}, 304),
        ):
            with self.subTest(fields), self.ask("/web/js/main.js", **fields) as answer:
                self.assertEqual(answer.status, status)
        with self.ask("/web/js/main.js", accept_encoding="gzip;q=0") as answer:
            self.assertEqual(answer.read(), plain)


if __name__ == "__main__":
    unittest.main()
