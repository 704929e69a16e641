"""Takes the pictures of the documentation: the main pages, in light and dark, wide and on a phone."""

import contextlib

from harness import ALICE, BOB, BROWSER, PICTURE, ROOT, WORK, Demo, bubble, conversation, expect, send
from playwright.sync_api import Page, sync_playwright
from test_conversations import MEDIA

FOLDER = ROOT / "docs/images"
WIDE = {"width": 1100, "height": 700}
NARROW = {"width": 390, "height": 760}
TALL = {"width": 1100, "height": 860}
DEMO = {"width": 1480, "height": 1290}
CAROL = "carol@demo.example"


class Pictures:
    def __init__(self, demo: Demo, browser):
        self.demo = demo
        self.context = browser.new_context(locale="en-GB", viewport=WIDE)

    def open(self, name: str, size: dict = WIDE) -> Page:
        page = self.context.new_page()
        page.set_viewport_size(size)
        page.goto(f"{self.demo.url}/demo/d/{name}/")
        expect(page.get_by_role("navigation")).to_be_visible()
        return page

    def take(self, page: Page, name: str) -> None:
        page.evaluate("() => document.activeElement.blur()")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(400)
            page.screenshot(path=FOLDER / f"{name}{'-dark' if scheme == 'dark' else ''}.png")
        page.emulate_media(color_scheme="light")

    def go(self, page: Page, name: str) -> None:
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        page.wait_for_timeout(500)

    def talk(self) -> None:
        """What the pictures show: a few people who wrote to each other."""
        self.demo.operate("POST", "/accounts", {"name": "Carol", "addresses": [CAROL], "password": "demo-password"})
        bob, alice = self.open("bob-laptop"), self.open("alice-laptop")
        for name, addresses, lists in (
            ("Bob", BOB, "friends, sailing"), ("Carol", CAROL, "friends"), ("The harbour office", "office@demo.example", "sailing"),
        ):
            self.go(alice, "Contacts")
            alice.get_by_role("button", name="New contact").click()
            alice.get_by_label("Name").fill(name)
            alice.get_by_label("Addresses").fill(addresses)
            alice.get_by_label("Lists, separated by commas").fill(lists)
            alice.get_by_role("button", name="Save").click()
            expect(alice.locator(".cards li", has_text=addresses)).to_be_visible()
        send(bob, WORK, subject="The contract", text="Two copies, one is yours. Please sign by Friday.")
        self.go(alice, "Messages")
        expect(conversation(alice, "The contract")).to_be_visible()
        send(bob, ALICE, subject="The harbour", text="Look at this", files=[str(PICTURE)])
        conversation(alice, "The harbour").click()
        expect(bubble(alice, "The harbour").get_by_role("img", name="harbour.png")).to_be_visible()
        conversation(bob, "The harbour").click()
        for page, text in (
            (alice, "Beautiful! Were you there this morning?"),
            (bob, "Yes, at six. Nobody about but the gulls."),
            (alice, "Next time wake me."),
        ):
            line = page.get_by_label("Message", exact=True)
            line.fill(text)
            line.press("Enter")
            expect(bubble(alice, text)).to_be_visible()
            expect(bubble(bob, text)).to_be_visible()
        send(alice, CAROL, text="Are you coming on Saturday?")
        expect(conversation(alice, "Are you coming")).to_be_visible()
        send(bob, f"{ALICE}, {CAROL}", subject="Saturday", text="The boat leaves at nine. Who brings the coffee?")
        expect(conversation(alice, "Saturday").first).to_be_visible()
        bob.close()
        alice.close()

    def messages(self) -> None:
        for name, size in (("", WIDE), ("phone-", NARROW)):
            page = self.open("alice-mobile" if size is NARROW else "alice-laptop", size)
            expect(conversation(page, "Next time")).to_be_visible()
            page.wait_for_timeout(300)
            for close in page.locator(".popups button").all():
                close.click()
            self.take(page, f"{name}messages")
            conversation(page, "Next time").click()
            expect(bubble(page, "Next time")).to_be_visible()
            page.wait_for_timeout(600)
            self.take(page, f"{name}conversation")
            page.close()

    def live(self) -> None:
        """A conversation with video, and a stored one beside it; another one that is asked for."""
        laptop, bob = self.open("alice-laptop", TALL), self.open("bob-laptop", TALL)
        mobile = self.open("bob-mobile", NARROW)
        self.go(bob, "Files")
        bob.locator("main input[type=file]").set_input_files(str(ROOT / "docs/demo/harbour.webm"))
        self.go(bob, "Messages")
        conversation(laptop, "Next time").click()
        laptop.get_by_role("button", name="Talk with voice").click()
        expect(mobile.locator(".requests li")).to_be_visible()
        self.take(mobile, "phone-request")
        bob.locator(".requests li").get_by_role("button", name="Accept", exact=True).click()
        there = bob.get_by_role("region", name="Live conversation")
        there.get_by_role("button", name="Show a stored video").click()
        bob.get_by_role("dialog").get_by_role("button", name="Propose").click()
        here = laptop.get_by_role("region", name="Live conversation")
        here.get_by_role("button", name="Accept").click()
        laptop.get_by_role("dialog").get_by_role("button", name="Accept").click()
        laptop.get_by_role("button", name="Play", exact=True).click()
        line = laptop.get_by_label("Message", exact=True)
        line.fill("That is where we were")
        line.press("Enter")
        laptop.wait_for_timeout(5000)
        laptop.get_by_role("button", name="Pause", exact=True).click()
        laptop.wait_for_timeout(1500)
        self.take(laptop, "live")
        here.get_by_role("button", name="Leave the conversation").click()
        for page in (laptop, bob, mobile):
            page.close()

    def people(self) -> None:
        for name, size in (("", WIDE), ("phone-", NARROW)):
            page = self.open("alice-mobile" if size is NARROW else "alice-laptop", size)
            for one in ("Contacts", "Devices", "Account"):
                self.go(page, one)
                self.take(page, f"{name}{one.lower()}")
            self.go(page, "Rules")
            page.get_by_label("A message from").fill(BOB)
            page.locator("form.card").get_by_label("with").first.select_option("image/*")
            page.get_by_role("button", name="What would happen?").click()
            expect(page.locator("form .cards li").first).to_be_visible()
            page.set_viewport_size({**size, "height": page.evaluate("() => document.querySelector('.page').scrollHeight + 140")})
            self.take(page, f"{name}rules")
            page.close()

    def operator(self) -> None:
        for name, size in (("", WIDE), ("phone-", NARROW)):
            page = self.context.new_page()
            page.set_viewport_size(size)
            page.goto(f"{self.demo.operator}/#token={self.demo.token}")
            expect(page.get_by_role("heading", name="Overview")).to_be_visible()
            page.wait_for_timeout(12_000)
            self.take(page, f"{name}operator")
            page.close()

    def demo_page(self) -> None:
        page = self.context.new_page()
        page.set_viewport_size(DEMO)
        page.goto(f"{self.demo.url}/demo/")
        page.wait_for_timeout(4000)
        for name in ("alice-laptop", "bob-laptop"):
            frame = page.frame(url=f"**/demo/d/{name}/")
            frame.locator(".conversations a", has_text="That is where we were").click()
            frame.locator(".bubbles > li", has_text="That is where we were").wait_for()
        for frame in page.frames:
            for close in frame.locator(".popups button").all():
                close.click()
        page.mouse.move(5, 5)
        page.wait_for_timeout(800)
        self.take(page, "demo")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright, contextlib.ExitStack() as ends:
        demo = Demo()
        ends.callback(demo.end)
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--hide-scrollbars", *MEDIA])
        ends.callback(browser.close)
        pictures = Pictures(demo, browser)
        pictures.talk()
        for take in (pictures.messages, pictures.live, pictures.people, pictures.demo_page, pictures.operator):
            take()


if __name__ == "__main__":
    main()
