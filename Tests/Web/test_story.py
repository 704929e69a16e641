"""Steps 1 to 15 of the requirement document, on six pages that are six devices; each check names its step."""

import contextlib
import hashlib
import json
import os
import struct
import unittest
import zlib

from harness import ALICE, BOB, PICTURE, WORK, BrowserTest, away, bubble, conversation, expect, send

UNREAD = "1 unread"
CAROL = "carol@demo.example"
PRICE = 3


@contextlib.contextmanager
def step(number: str, what: str):
    """What fails inside is told with the step's number."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"step {number}, {what}: {error}") from error


def noise(width: int = 700) -> bytes:
    """A picture that no compression makes small: above the size of which Alice's mobile gets only a notification."""
    rows = b"".join(b"\0" + os.urandom(3 * width) for _ in range(width))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shows_picture(message, name: str) -> bool:
    picture = message.get_by_role("img", name=name)
    expect(picture).to_be_visible()
    # At once: a message that moves on meanwhile is drawn anew.
    return picture.evaluate("""async (image) => {
      image.scrollIntoView();
      await image.decode();
      return image.naturalWidth > 100;
    }""")


def more_about(message, choice: str) -> None:
    message.get_by_label("More about").click()
    message.get_by_role("button", name=choice).click()


class Story(BrowserTest):
    def setUp(self) -> None:
        super().setUp()
        settings = self.demo.operate("GET", "/settings")
        settings["tariff"]["perReceiver"] = PRICE
        # Large messages go whole, as far as the provider minds: what a device does not get is by its owner's rules.
        settings["policy"]["wholeUpToBytes"] = 16 << 20
        self.demo.operate("PUT", "/settings", settings)
        self.frames: dict[str, list[dict]] = {}
        self.alice = [self.listen(name) for name in ("alice-mobile", "alice-phone", "alice-laptop")]
        self.bob = [self.listen(name) for name in ("bob-mobile", "bob-pda", "bob-laptop")]

    def listen(self, name: str):
        """A device whose frames are noted as they come."""
        frames = self.frames[name] = []

        def opened(socket) -> None:
            socket.on("framereceived", lambda text: frames.append(json.loads(text)))

        self.context.once("page", lambda page: page.on("websocket", opened))
        return self.open(name)

    def balance(self, address: str) -> int:
        return self.demo.operate("GET", f"/accounts/{address}")["balance"]

    def charges(self, message: str) -> list[int]:
        lines = self.demo.operate("GET", f"/accounts/{BOB}/ledger")["lines"]
        return [line["amount"] for line in lines if line.get("message") == message]

    def test_a_message_from_its_writing_to_its_end(self):
        mobile, phone, laptop = self.alice
        bobs_mobile, bobs_pda, bobs = self.bob
        large = noise()

        with step("1", "Bob's laptop picks Alice from his contacts"):
            bobs.get_by_role("link", name="Contacts").click()
            bobs.get_by_role("button", name="New contact").click()
            bobs.get_by_label("Name").fill("Alice")
            bobs.get_by_label("Addresses").fill(ALICE)
            bobs.get_by_role("button", name="Save").click()
            expect(bobs.locator(".cards li", has_text="Alice")).to_be_visible()
            bobs.get_by_role("link", name="Messages").click()
            bobs.get_by_role("link", name="New message").click()
            picked = bobs.locator("datalist option", has_text="Alice").get_attribute("value")
            self.assertEqual(picked, ALICE)

        # The first answer is lost on its way: the device cannot know, and asks again.
        asked: list[str] = []

        def lose_first(route) -> None:
            asked.append(route.request.post_data_json["id"])
            if len(asked) == 1:
                route.fetch()
                route.abort("connectionreset")
            else:
                route.continue_()

        bobs.route("**/v1/messages", lose_first)
        self.demo.operate("POST", "/accounts", {"name": "Carol", "addresses": [CAROL], "password": "demo-password"})
        before = self.balance(BOB)
        self.forgive("ERR_CONNECTION_RESET")
        with step("2", "one message with subject, text, several pictures, two receivers"):
            send(
                bobs,
                f"{picked}, {CAROL}",
                text="Look at this",
                subject="The harbour",
                files=[
                    {"name": "harbour.png", "mimeType": "image/png", "buffer": PICTURE.read_bytes()},
                    {"name": "sea.png", "mimeType": "image/png", "buffer": large},
                ],
            )
            expect(conversation(bobs, "The harbour")).to_be_visible(timeout=30_000)

        with step("10", "every device that is told shows a pop-up"):
            for page in (mobile, laptop):
                expect(page.locator(".popups")).to_contain_text("New message from bob@demo.example")
            expect(phone.locator(".popups li")).to_have_count(0)
        with step("3", "asked for twice with one id, it is one message"):
            expect(bobs.locator(".outbox li")).to_have_count(0)
            self.assertEqual(len(asked), 2)
            self.assertEqual(asked[0], asked[1])
            for page in (laptop, bobs):
                expect(conversation(page, "The harbour")).to_have_count(1)
        with step("4", "charged exactly once for each receiver"):
            self.assertEqual(self.balance(BOB), before - 2 * PRICE)
            self.assertEqual(sum(self.charges(asked[0])), -2 * PRICE)

        with step("6", "it is in the sentbox of his other devices"):
            for page in (bobs_mobile, bobs_pda, bobs):
                conversation(page, "The harbour").click()
                expect(bubble(page, "The harbour")).to_contain_text("Look at this")
                expect(page.locator(".bubbles > li")).to_have_count(1)
        with step("7-9", "a notification on the mobile, nothing on the fixed phone, the whole on the laptop"):
            for page in (mobile, laptop):
                expect(conversation(page, "The harbour").get_by_label(UNREAD)).to_be_visible()
            conversation(mobile, "The harbour").click()
            notice = bubble(mobile, "The harbour")
            expect(notice).to_contain_text("not fetched to this device")
            expect(notice).to_contain_text(BOB)
            expect(notice).not_to_contain_text("Look at this")
            self.has_nothing(phone)
        with step("12", "the first delivery is told to all of Bob's devices, for each receiver"):
            for page in (bobs_mobile, bobs_pda, bobs):
                self.mark(page, ALICE, "Delivered")
                self.mark(page, CAROL, "Sent")

        with away(mobile, bobs_pda):
            conversation(laptop, "The harbour").click()
            whole = bubble(laptop, "The harbour")
            with step("7-9", "the whole message is what was sent"):
                expect(whole).to_contain_text("Look at this")
                for name in ("harbour.png", "sea.png"):
                    self.assertTrue(shows_picture(whole, name), name)
            with step("11", "opened on the laptop, it is read"):
                expect(conversation(laptop, "The harbour").get_by_label(UNREAD)).to_have_count(0)
            with step("12", "the reading is told to Bob's devices that are connected"):
                for page in (bobs_mobile, bobs):
                    self.mark(page, ALICE, "Read")
                self.mark(bobs_pda, ALICE, "Delivered")
            with step("9", "it is stored: a device that registers later has it, and has it as read"):
                later = self.sign_in("kitchen", "Alice's kitchen")
                expect(conversation(later, "The harbour").get_by_label(UNREAD)).to_have_count(0)
                conversation(later, "The harbour").click()
                expect(bubble(later, "Look at this").locator("figure")).to_have_count(2)
                later.get_by_role("link", name="Account").click()
                later.get_by_role("button", name="Sign this device out").click()
                expect(later.get_by_label("Password")).to_be_visible()
                later.close()
            expect(conversation(mobile, "The harbour").get_by_label(UNREAD)).to_be_visible()
        with step("11", "read, and its pop-up withdrawn, on the device that was off-line"):
            expect(conversation(mobile, "The harbour").get_by_label(UNREAD)).to_have_count(0)
            expect(mobile.locator(".popups li")).to_have_count(0)
        with step("12", "the report reaches the device of Bob's that was off-line"):
            self.mark(bobs_pda, ALICE, "Read")

        with step("14", "the mobile fetches the whole, deletes it for itself, and fetches it again"):
            for _ in range(2):
                mobile.get_by_role("button", name="Fetch the whole message").click()
                expect(bubble(mobile, "Look at this").locator("figure")).to_have_count(2)
                more_about(bubble(mobile, "Look at this"), "Delete on this device only")
                expect(bubble(mobile, "not fetched to this device")).to_be_visible()
                expect(bubble(mobile, "Look at this")).to_have_count(0)
        with step("14", "the laptop and the store still have it"):
            expect(bubble(laptop, "Look at this").locator("figure")).to_have_count(2)
            trace = self.demo.operate("GET", f"/trace/{asked[0]}")
            self.assertNotIn("deleted", [flag for box in trace["mailboxes"] for flag in box["flags"]])

        with step("15", "saved to the disk of the laptop, byte for byte, under its name"):
            for name, content in (("harbour.png", PICTURE.read_bytes()), ("sea.png", large)):
                with laptop.expect_download() as saving:
                    bubble(laptop, "The harbour").locator("a.file", has_text=name).click()
                self.assertEqual(saving.value.suggested_filename, name)
                saved = saving.value.path().read_bytes()
                self.assertEqual(hashlib.sha256(saved).hexdigest(), hashlib.sha256(content).hexdigest())

        with away(mobile):
            with step("13", "deleted everywhere, it goes from every device of Alice's"):
                more_about(bubble(laptop, "The harbour"), "Delete everywhere")
                expect(bubble(laptop, "The harbour")).to_have_count(0)
                expect(conversation(laptop, "The harbour")).to_have_count(0)
            send(bobs, ALICE, text="What came afterwards")
            expect(conversation(laptop, "What came afterwards")).to_be_visible()
            self.frames["alice-mobile"].clear()
        with step("13", "the device that was off-line learns of it first of all"):
            expect(conversation(mobile, "What came afterwards")).to_be_visible()
            expect(conversation(mobile, "The harbour")).to_have_count(0)
            kinds = [next(iter(frame)) for frame in self.frames["alice-mobile"]]
            gone = [frame["digest"]["gone"] for frame in self.frames["alice-mobile"] if "digest" in frame]
            self.assertTrue(any(gone), kinds)
            self.assertLess(kinds.index("digest"), kinds.index("changes"), kinds)
        with step("13", "what Bob keeps is his"):
            for page in (bobs_mobile, bobs_pda):
                expect(bubble(page, "The harbour")).to_be_visible()

    def test_rules_by_address_and_medium(self):
        mobile, phone, laptop = self.alice
        bobs = self.bob[2]
        send(bobs, WORK, text="The contract")
        with step("7-9", "to her business address: to the laptop only"):
            expect(conversation(laptop, "The contract")).to_be_visible()
        send(bobs, ALICE, text="What came after it")
        with step("7-9", "plain text: whole on every device"):
            for page in self.alice:
                conversation(page, "What came after it").click()
                expect(bubble(page, "What came after it")).to_be_visible()
        with step("7-9", "the business message is nowhere else, later messages or not"):
            for page in (mobile, phone):
                expect(conversation(page, "The contract")).to_have_count(0)

    def test_nothing_goes_without_credit(self):
        laptop = self.alice[2]
        bobs = self.bob[2]
        self.demo.operate("POST", f"/accounts/{BOB}/credit", {"amount": 1 - self.balance(BOB)})
        self.forgive("402")
        send(bobs, ALICE, text="I owe you")
        waiting = bobs.locator(".outbox li", has_text="I owe you")
        with step("4", "no credit: a clear error where the message waits"):
            expect(waiting.get_by_role("alert")).to_contain_text(f"the message costs {PRICE} and the balance is 1")
        with step("4", "no credit: nothing stored, sent or charged"):
            self.assertEqual(self.balance(BOB), 1)
            for page in [*self.alice, *self.bob]:
                self.has_nothing(page)
        self.demo.operate("POST", f"/accounts/{BOB}/credit", {"amount": PRICE})
        waiting.get_by_role("button", name="Try again").click()
        with step("4", "with credit the same message goes, and is charged once"):
            expect(conversation(laptop, "I owe you")).to_have_count(1)
            expect(waiting).to_have_count(0)
            self.assertEqual(self.balance(BOB), 1)

    def test_servers_that_are_down_and_providers_that_are_none(self):
        laptop = self.alice[2]
        bobs = self.bob[2]
        self.demo.kill()
        expect(bobs.locator(".banner")).to_contain_text("Off-line")
        send(bobs, ALICE, text="Written while it was down")
        with step("5", "while the server is down the message waits on the device"):
            expect(bobs.locator(".outbox li")).to_contain_text("Waiting to be sent")
        self.demo.start()
        with step("5", "then it arrives, once"):
            expect(conversation(laptop, "Written while it was down")).to_be_visible(timeout=60_000)
            expect(conversation(laptop, "Written while it was down")).to_have_count(1)
            expect(bobs.locator(".outbox li")).to_have_count(0)
        before = self.balance(BOB)
        send(bobs, "somebody@elsewhere.example", text="Is anybody there")
        with step("5", "to a provider that is not there: a failure on each of Bob's devices, and the money back"):
            for page in self.bob:
                conversation(page, "Is anybody there").click(timeout=60_000)
                self.mark(page, "", "Failed")
            self.assertEqual(self.balance(BOB), before)

    def has_nothing(self, page) -> None:
        expect(page.locator(".conversation-list")).to_contain_text("No messages yet")

    def mark(self, page, address: str, state: str) -> None:
        """What the open conversation says of a receiver."""
        marks = page.locator(".bubbles .receivers li")
        expect(marks.filter(has_text=address) if address else marks).to_contain_text(state)

    def sign_in(self, name: str, label: str):
        page = self.context.new_page()
        page.goto(f"{self.demo.url}/d/{name}/")
        page.get_by_label("Address").fill(ALICE)
        page.get_by_label("Password").fill("demo-password")
        page.get_by_label("Name of this device").fill(label)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("navigation")).to_be_visible()
        return page


if __name__ == "__main__":
    unittest.main()
