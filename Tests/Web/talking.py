"""What tests of live conversations share: real voice and video, and what a person does in the live part."""

from harness import BOB, BrowserTest, expect, send, until

# A camera and a microphone that no machine needs to have, and nobody who has to allow them.
MEDIA = [
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required", "--disable-features=WebRtcHideLocalIpsWithMdns",
]

# The page's connections, to ask them what they have received.
WATCH = """
const Connection = window.RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Connection {
  constructor(...all) { super(...all); window.connections.push(this); }
};
"""

RECEIVED = """async (kind) => {
  let bytes = 0;
  for (const one of window.connections) {
    if (one.connectionState === "closed") continue;
    for (const report of (await one.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === kind) bytes += report.bytesReceived;
    }
  }
  return bytes;
}"""


class TalkTest(BrowserTest):
    """Pages with a camera and a microphone."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.start_browser(MEDIA)

    def setUp(self) -> None:
        super().setUp()
        self.context.add_init_script(WATCH)

    def line(self, page):
        return page.get_by_label("Message", exact=True)

    def say(self, page, text: str) -> None:
        self.line(page).fill(text)
        self.line(page).press("Enter")

    def live(self, page):
        return page.get_by_role("region", name="Live conversation")

    def thread(self, page, other: str) -> None:
        """Opens the only conversation there is."""
        page.get_by_role("navigation").get_by_role("link", name="Messages").click()
        page.locator(".conversations a").first.click()
        expect(self.line(page)).to_be_visible()

    def begin(self, *names: str, button: str = "Talk live"):
        """Opens devices, the first of them Alice's; she asks Bob for a conversation."""
        pages = {name: self.open(name) for name in names}
        self.ask(pages[names[0]], BOB, button)
        return pages

    def ask(self, page, address: str, button: str) -> None:
        """Asks somebody for a conversation, from the one of what was written."""
        send(page, address, text="Before")
        self.thread(page, address)
        page.get_by_role("button", name=button).click()

    def requests(self, page):
        return page.locator(".requests li")

    def accept(self, page) -> None:
        self.requests(page).get_by_role("button", name="Accept", exact=True).click()
        expect(self.live(page)).to_contain_text("Live with")

    def grows(self, page, kind: str) -> None:
        """Voice or video arrives, more and more."""
        before = page.evaluate(RECEIVED, kind)
        until(f"{kind} arrives", lambda: page.evaluate(RECEIVED, kind) > before + 2000 or page.wait_for_timeout(100), 20)

    def rests(self, page, kind: str) -> None:
        before = page.evaluate(RECEIVED, kind)
        page.wait_for_timeout(1000)
        self.assertEqual(page.evaluate(RECEIVED, kind), before, f"{kind} arrives where it is not to be")

    def choose(self, page, device: str, button: str) -> None:
        """One of the person's devices, that which is connected."""
        dialog = page.get_by_role("dialog")
        option = dialog.get_by_label("Device").locator("option", has_text=device)
        option = option.filter(has_not_text="(Registered)")
        dialog.get_by_label("Device").select_option(option.first.get_attribute("value"))
        dialog.get_by_role("button", name=button).click()

    def position(self, page) -> float:
        return page.evaluate("document.querySelector('.player video').currentTime")

    def in_step(self, one, other, seconds: float) -> None:
        """Both play, and are never farther apart than 50 ms once they are in step."""
        here = "() => ({ at: performance.timeOrigin + performance.now(), position: document.querySelector('.player video').currentTime,"
        here += " plays: !document.querySelector('.player video').paused })"

        def apart() -> float | None:
            first, second = one.evaluate(here), other.evaluate(here)
            # One may have run dry for a moment: then the other waits for it.
            if not (first["plays"] and second["plays"]):
                return None
            return abs((second["position"] - first["position"]) - (second["at"] - first["at"]) / 1000)

        until("both play", lambda: (one.evaluate(here)["plays"] and other.evaluate(here)["plays"]) or one.wait_for_timeout(50))
        one.wait_for_timeout(1500)
        distances = []
        for _ in range(int(seconds * 5)):
            distances.append(apart())
            one.wait_for_timeout(200)
        readings = len(distances)
        distances = [distance for distance in distances if distance is not None]
        self.assertGreater(len(distances), readings // 2, "they hardly played")
        # The clocks of the two pages are asked one after the other: a single reading may have been held up.
        self.assertLess(sorted(distances)[len(distances) * 9 // 10], 0.05, distances)

    def same_frame(self, one, other) -> None:
        picture = """() => {
          const video = document.querySelector(".player video");
          const canvas = document.createElement("canvas");
          canvas.width = video.videoWidth;
          canvas.height = video.videoHeight;
          canvas.getContext("2d").drawImage(video, 0, 0);
          return canvas.toDataURL();
        }"""
        until("the same frame", lambda: one.evaluate(picture) == other.evaluate(picture) or one.wait_for_timeout(100))
        one.wait_for_timeout(500)
        self.assertEqual(one.evaluate(picture), other.evaluate(picture))
