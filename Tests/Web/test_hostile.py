"""What a sender may have put into a message with ill intent: it is text, a file to be saved, or refused."""

import json
import time
import unittest
import urllib.error
import urllib.request
import uuid

from harness import ALICE, BOB, BrowserTest, bubble, conversation, expect, send

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)"><script>alert(4)</script></svg>'
PAGE = b"<!doctype html><title>x</title><script>alert(5)</script>"
FAMILY = "👩‍👩‍👧‍👦"

# Whatever a page could run or load, were any of this taken for markup.
LIVE = "script, iframe, object, embed, link, style, b, base, form input[name=password], svg:not(.icon), [onerror], [onload]"


class Sender:
    """Bob, with a program of his own that no page holds back."""

    def __init__(self, url: str):
        self.url = url
        self.token = None
        device = {"kind": "other", "label": "Bob's own program"}
        self.token = self.ask("POST", "/v1/login", {"address": BOB, "password": "demo-password", "device": device})["token"]

    def ask(self, method: str, path: str, body: object = None, fields: dict | None = None):
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method, data=data)
        request.add_header("content-type", "application/json")
        if self.token:
            request.add_header("authorization", f"Bearer {self.token}")
        for name, value in (fields or {}).items():
            request.add_header(name, value)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def upload(self, content: bytes, kind: str, name: str) -> dict:
        upload = self.ask("POST", "/v1/uploads", {"type": kind, "name": name, "bytes": len(content)})
        fields = {"content-type": "application/octet-stream", "upload-offset": "0"}
        self.ask("PATCH", f"/v1/uploads/{upload['id']}", content, fields)
        return {"upload": upload["id"], "name": name}

    def send(self, parts: list, subject: str | None = None, conversation: str | None = None) -> None:
        # A UUID of version 7 of now.
        now = int(time.time() * 1000)
        message = uuid.UUID(int=(now << 80) | (7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1) & ~(3 << 62)) | (2 << 62))
        body = {"id": str(message), "to": [ALICE], "parts": parts, "subject": subject, "conversation": conversation}
        self.ask("POST", "/v1/messages", {key: value for key, value in body.items() if value is not None})


class Hostile(BrowserTest):
    def setUp(self) -> None:
        super().setUp()
        self.context.on("dialog", self.opened)

    def opened(self, dialog) -> None:
        self.complaints.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def assert_inert(self, place) -> None:
        expect(place.locator(LIVE)).to_have_count(0)
        expect(place.locator("img[src=x]")).to_have_count(0)

    def refused(self, ask) -> int:
        """The status with which the server refuses; 0 when it does not."""
        try:
            ask()
        except urllib.error.HTTPError as error:
            with error:
                self.assertEqual(error.headers["content-type"], "application/problem+json")
                return error.code
        return 0

    def headers(self, page, source: str):
        return page.evaluate(
            """async (source) => {
                const answer = await fetch(source);
                return [answer.status, Object.fromEntries(answer.headers)];
            }""",
            source,
        )

    def assert_harmless(self, page, source: str) -> None:
        """However these bytes are asked for, no page of ours comes of them."""
        status, fields = self.headers(page, source)
        self.assertEqual(status, 200)
        self.assertTrue(fields["content-disposition"].startswith("attachment"), fields)
        self.assertEqual(fields["x-content-type-options"], "nosniff")
        self.assertIn("sandbox", fields["content-security-policy"])
        self.assertIn("default-src 'none'", fields["content-security-policy"])

    def test_markup_is_text_wherever_it_shows(self):
        laptop, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        drawing = {"name": "<b>..%2fpicture.png.exe.svg", "mimeType": "image/svg+xml", "buffer": DRAWING}
        send(bobs, ALICE, text=MARKUP, subject=MARKUP, files=[drawing])
        expect(laptop.locator(".popups span")).to_have_text(MARKUP)
        self.assert_inert(laptop.locator("body"))
        conversation(laptop, "onerror").click()
        received = bubble(laptop, "onerror").last
        expect(received.locator("h3")).to_have_text(MARKUP)
        expect(received.locator("p.text")).to_have_text(MARKUP)
        expect(received.locator("img")).to_have_count(0)
        expect(received.locator("a.file .name")).to_have_text(drawing["name"])
        self.assert_inert(laptop.locator("body"))
        self.assert_harmless(laptop, received.locator("a.file").get_attribute("href"))
        # In what a search finds, too.
        laptop.get_by_label("Search messages").fill("onerror")
        expect(laptop.locator(".results .line").first).to_contain_text("onerror")
        self.assert_inert(laptop.locator("body"))

    def test_markup_in_names_of_devices_and_rules(self):
        laptop = self.open("alice-laptop")
        other = self.context.new_page()
        other.on("pageerror", lambda error: self.complaints.append(str(error)))
        other.goto(f"{self.demo.url}/d/other/")
        other.get_by_label("Address").fill(ALICE)
        other.get_by_label("Password").fill("demo-password")
        other.get_by_label("Name of this device").fill(MARKUP)
        other.get_by_role("button", name="Sign in").click()
        expect(other.get_by_role("heading", level=1)).to_have_text(MARKUP)
        self.assert_inert(other.locator("body"))
        laptop.get_by_role("link", name="Devices").click()
        expect(laptop.locator(".cards li", has_text=MARKUP)).to_have_count(1)
        self.assert_inert(laptop.locator("body"))
        laptop.get_by_role("link", name="Rules").click()
        laptop.get_by_role("button", name="New rule").click()
        laptop.get_by_label("Name of the rule").fill(MARKUP)
        laptop.get_by_label("They get").select_option("nothing")
        laptop.get_by_role("button", name="Save").click()
        expect(laptop.locator(".rules > li").last).to_contain_text(MARKUP)
        laptop.get_by_label("A message from").fill(BOB)
        laptop.get_by_role("button", name="What would happen?").click()
        expect(laptop.locator("form .cards li", has_text=MARKUP).first).to_be_visible()
        self.assert_inert(laptop.locator("body"))

    def test_files_that_are_not_what_they_say(self):
        laptop, bob = self.open("alice-laptop"), Sender(self.demo.url)
        kinds = [
            ("page.html", "text/html", PAGE),
            ("page.png", "image/png", PAGE),
            ("drawing.svg", "image/svg+xml", DRAWING),
            ("page.xhtml", "application/xhtml+xml", PAGE),
            ("page.pdf", "application/pdf", PAGE),
            ("page.mp4", "video/mp4", PAGE),
            ("script.js", "text/javascript", b"alert(6)"),
        ]
        bob.send([bob.upload(content, kind, name) for name, kind, content in kinds], subject="Not what they say")
        conversation(laptop, "Not what they say").click()
        received = bubble(laptop, "Not what they say")
        expect(received.locator("a.file")).to_have_count(len(kinds))
        self.assert_inert(received)
        for name, kind, _ in kinds:
            source = received.locator("a.file", has_text=name).get_attribute("href")
            self.assert_harmless(laptop, source)
            # Only a picture's type is drawn as one; bytes that are none of it draw nothing.
            picture = received.get_by_role("img", name=name)
            self.assertEqual(picture.count(), 1 if kind == "image/png" else 0, name)
            # Opened in a window of its own, it runs nothing: without the device it is not even given out.
            window = self.context.new_page()
            answer = window.goto(self.demo.url + source)
            self.assertEqual(answer.status, 401)
            self.assertEqual(window.evaluate("document.scripts.length"), 0)
            # By way of the device's worker it is saved, and the window stays empty.
            window.goto("about:blank")
            with window.expect_download() as saving, self.assertRaisesRegex(Exception, "Download is starting"):
                window.goto(f"{laptop.url.split('#')[0]}content{source}")
            self.assertEqual(saving.value.suggested_filename, name)
            self.assertEqual(window.url, "about:blank")
            window.close()
        # Nor is it a script or a worker of a page of ours.
        source = received.locator("a.file", has_text="script.js").get_attribute("href")
        self.forgive("401")
        self.forgive("404")
        for place in (source, f"{laptop.url.split('#')[0]}content{source}"):
            ran = laptop.evaluate("place => import(place).then(() => 'ran', () => 'refused')", place)
            self.assertEqual(ran, "refused", place)

    def test_odd_names_of_files(self):
        laptop, bob = self.open("alice-laptop"), Sender(self.demo.url)
        names = [
            "../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "a\0b", "line\nbreak\r\nset-cookie: a=b",
            'quote".html', "semi;colon; filename=x", "photo\u202egnp.exe", "%2e%2e%2fx", "con", ".htaccess", "…", " ",
            FAMILY, "n" * 300, "ü" * 120, "<script>alert(1)</script>.txt", "javascript:alert(1)",
        ]
        refused = []
        kept = []
        for name in names:
            def ask(name=name):
                number = names.index(name)
                parts = [bob.upload(b"content", "application/octet-stream", name)]
                bob.send(parts, subject=f"named {number}.", conversation=f"odd-{number}")
            status = self.refused(ask)
            self.assertIn(status, (0, 400, 413, 422), name)
            (refused if status else kept).append(name)
        self.assertGreater(len(kept), 4)
        for name in ("../../etc/passwd", "a\0b", "line\nbreak\r\nset-cookie: a=b", "n" * 300):
            self.assertIn(name, refused)
        for name in kept:
            with self.subTest(name=name):
                conversation(laptop, f"named {names.index(name)}.").click()
                received = bubble(laptop, f"named {names.index(name)}.")
                expect(received.locator("a.file .name")).to_have_text(name, use_inner_text=False)
                self.assert_inert(received)
                with laptop.expect_download() as saving:
                    received.locator("a.file").click()
                saved = saving.value.suggested_filename
                self.assertFalse(set(saved) & set('/\\\0\n\r"<>:'), saved)
                self.assertNotIn("\u202e", saved)
                self.assertNotIn(saved, ("", ".", ".."))
                self.assertEqual(saving.value.path().read_bytes(), b"content")

    def test_a_megabyte_of_emoji(self):
        laptop, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        text = FAMILY * 40_000
        send(bobs, ALICE, subject="Emoji", text=text)
        expect(conversation(laptop, "Emoji")).to_be_visible(timeout=30_000)
        conversation(laptop, "Emoji").click()
        # Too long for a line of a conversation: it goes as a file, whole.
        link = bubble(laptop, "Emoji").locator("a.file")
        expect(link).to_contain_text("1MB")
        with laptop.expect_download() as saving:
            link.click()
        self.assertEqual(saving.value.path().read_text(), text)
        # Around the page's own limits the server has its own.
        bob = Sender(self.demo.url)
        self.assertIn(self.refused(lambda: bob.send([{"type": "text/plain", "text": text}], subject="x")), (400, 413))
        self.assertIn(self.refused(lambda: bob.send([{"type": "text/plain", "text": "x"}], subject=text)), (400, 413))
        longest = FAMILY * 2_500
        bob.send([{"type": "text/plain", "text": longest}], subject=FAMILY * 4)
        conversation(laptop, FAMILY * 4).click()
        expect(bubble(laptop, FAMILY * 4).locator("p.text")).to_have_text(longest)
        # Its line is no wider than the page.
        self.assertLessEqual(laptop.evaluate("document.documentElement.scrollWidth"), 1100)

    def test_addresses_of_pages_that_mean_nothing(self):
        laptop = self.open("alice-laptop")
        for place in ("#/messages/%E0%A4%A", "#/messages/%3Cimg%20src=x%20onerror=alert(1)%3E", "#/%", "#/nowhere", "#///"):
            laptop.evaluate("place => { location.hash = place }", place)
            laptop.wait_for_timeout(150)
            self.assert_inert(laptop.locator("body"))
        laptop.get_by_role("link", name="Contacts").click()
        expect(laptop.get_by_role("button", name="New contact")).to_be_visible()


if __name__ == "__main__":
    unittest.main()
