"""Everything by keys alone, in an order that makes sense, with names that can be heard; axe finds nothing."""

import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import ALICE, BOB, PICTURE, BrowserTest, bubble, conversation, expect, send

# What one can come to with the Tab key.
REACHABLE = """
() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, video[controls], audio[controls]")]
  .filter((one) => !one.disabled && one.checkVisibility({ visibilityProperty: true }))
  .map((one) => { one.dataset.place ??= String(window.places = (window.places ?? 0) + 1); return one.dataset.place; })
"""

# Where the keyboard is: which element, whether one can see it and that it has the focus, and how it is called.
HERE = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const box = one.getBoundingClientRect();
  const style = getComputedStyle(one);
  const labels = [...one.labels ?? []].map((label) => label.textContent).join(" ");
  return {
    place: one.dataset.place,
    tag: one.localName,
    name: (one.getAttribute("aria-label") || labels || one.textContent || one.title || one.placeholder || "").trim(),
    isSeen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
  };
}
"""


class Access(BrowserTest):
    def setUp(self) -> None:
        super().setUp()
        bobs = self.open("bob-laptop")
        send(bobs, ALICE, text="Look at this", subject="The harbour", files=[str(PICTURE)])
        expect(conversation(bobs, "The harbour")).to_be_visible()
        bobs.close()
        self.page = self.open("alice-laptop")
        expect(conversation(self.page, "The harbour")).to_be_visible()
        for close in self.page.locator(".popups button").all():
            close.click()

    def go(self, name: str) -> None:
        self.page.get_by_role("navigation").get_by_role("link", name=name).click()

    def places(self):
        """Every place of the client that one can be at: a name, and how to come there from the messages."""
        page = self.page
        yield "messages", lambda: None
        yield "a conversation", lambda: conversation(page, "The harbour").click()
        yield "a message's menu", lambda: bubble(page, "The harbour").get_by_label("More about").click()
        yield "a new message", lambda: (
            page.get_by_role("link", name="New message").click(),
            expect(page.get_by_label("To", exact=True)).to_be_visible(),
            page.locator(".composer input[type=file]").set_input_files(str(PICTURE)),
        )
        yield "search", lambda: (
            page.get_by_role("button", name="Remove harbour.png").click(),
            page.get_by_label("Search messages").fill("harbour"),
            expect(page.locator(".results a").first).to_be_visible(),
        )
        yield "contacts", lambda: (page.get_by_label("Search messages").fill(""), self.go("Contacts"))
        yield "a contact", lambda: page.get_by_role("button", name="New contact").click()
        yield "files", lambda: self.go("Files")
        yield "rules", lambda: self.go("Rules")
        yield "a rule", lambda: page.get_by_role("button", name="New rule").click()
        yield "a trial", lambda: (
            page.get_by_label("A message from").fill(BOB),
            page.get_by_role("button", name="What would happen?").click(),
            expect(page.locator("form .cards li").first).to_be_visible(),
        )
        yield "devices", lambda: (self.go("Devices"), expect(page.locator(".cards li").first).to_be_visible())
        yield "account", lambda: (self.go("Account"), expect(page.get_by_text("Credit").first).to_be_visible())

    def settled_places(self) -> list[str]:
        """What can be come to, once nothing is drawn anew any more: pictures arrive, and their messages grow."""
        places = None
        for _ in range(20):
            self.page.wait_for_timeout(300)
            before, places = places, self.page.evaluate(REACHABLE)
            if places == before:
                break
        return places

    def check(self, page, name: str) -> None:
        with self.subTest(page=name):
            found = Axe().run(page, options={"resultTypes": ["violations"]})
            self.assertEqual(found.violations_count, 0, found.generate_report())

    def test_axe_finds_nothing_wherever_one_is(self):
        for name, come in self.places():
            come()
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                self.check(self.page, f"{name}, {scheme}")

    def test_axe_finds_nothing_before_one_has_signed_in(self):
        page = self.context.new_page()
        for path, text in (("/", "Sign in"), ("/d/mine/", "Sign in"), ("/demo/", "two people")):
            page.goto(self.demo.url + path)
            expect(page.get_by_text(text).first).to_be_visible()
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                self.check(page, f"{path}, {scheme}")

    def test_tab_comes_to_everything_in_its_order_and_is_seen(self):
        page = self.page
        for name, come in self.places():
            come()
            wanted = self.settled_places()
            with self.subTest(page=name):
                self.assertEqual(page.locator("[tabindex]:not([tabindex='-1']):not([tabindex='0'])").count(), 0)
                page.evaluate("document.activeElement.blur(); document.querySelector('h1').tabIndex = -1; document.querySelector('h1').focus()")
                been = []
                while len(been) <= 3 * len(wanted):
                    page.keyboard.press("Tab")
                    here = page.evaluate(HERE)
                    if here is None or (been and here["place"] == been[0]):
                        break
                    # The parts of a player are the browser's own; a list that scrolls is come to as well.
                    if here["place"] is None or (been and here["place"] == been[-1]):
                        continue
                    been.append(here["place"])
                    self.assertTrue(here["name"], here)
                    self.assertTrue(here["isSeen"], here)
                    self.assertTrue(here["isMarked"], here)
                self.assertEqual(been, wanted)

    def test_a_message_is_opened_deleted_and_fetched_with_the_keyboard_alone(self):
        page = self.page
        conversation(page, "The harbour").focus()
        page.keyboard.press("Enter")
        expect(bubble(page, "The harbour")).to_be_visible()
        summary = bubble(page, "The harbour").get_by_label("More about")
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Delete everywhere")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Delete everywhere")).to_be_hidden()
        expect(summary).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Delete on this device only").focus()
        page.keyboard.press("Enter")
        expect(bubble(page, "not fetched to this device")).to_be_visible()
        # The keyboard is still at the message.
        self.assertTrue(page.evaluate("document.activeElement.closest('[data-message]') !== null"))
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Fetch the whole message")).to_be_focused()
        page.keyboard.press("Enter")
        expect(bubble(page, "Look at this")).to_be_visible()

    def test_a_contact_and_a_rule_are_made_with_the_keyboard_alone(self):
        page = self.page
        self.go("Contacts")
        page.get_by_role("button", name="New contact").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name")).to_be_focused()
        page.keyboard.type("Bob")
        page.keyboard.press("Tab")
        page.keyboard.type(BOB)
        page.keyboard.press("Enter")
        expect(page.locator(".cards li", has_text="Bob")).to_be_visible()
        self.go("Rules")
        page.get_by_role("button", name="New rule").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Name of the rule")).to_be_focused()
        page.keyboard.type("quiet")
        page.get_by_label("Fixed phone").focus()
        page.keyboard.press("Space")
        page.get_by_label("They get").focus()
        page.keyboard.type("nothing")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".rules > li").last).to_contain_text("on: Fixed phone: nothing")


if __name__ == "__main__":
    unittest.main()
