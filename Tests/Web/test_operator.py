"""The operator's page, on the operator's door."""

import re
import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import ALICE, BrowserTest, expect, send


class Operator(BrowserTest):
    def operator(self, path: str = ""):
        page = self.context.new_page()
        page.on("console", lambda message: self.complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.demo.operator + path)
        return page

    def signed_in(self):
        page = self.operator(f"/#token={self.demo.token}")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        return page

    def test_the_door_is_the_operators(self):
        page = self.operator()
        page.get_by_label("Operator's token").fill("not-the-token")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("token is not right")
        self.complaints = [one for one in self.complaints if "401" not in one]
        page.get_by_label("Operator's token").fill(self.demo.token)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Operator's token")).to_be_visible()
        # The client's door has no operator's page, and the operator's no client.
        self.assertEqual(page.goto(f"{self.demo.operator}/d/mine/").status, 404)
        policy = page.goto(self.demo.operator).headers["content-security-policy"]
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.complaints = [one for one in self.complaints if "404" not in one]

    def test_a_link_signs_in_and_leaves_no_token_in_the_address(self):
        page = self.signed_in()
        self.assertNotIn("token", page.url)

    def test_figures_move(self):
        page = self.signed_in()
        bobs = self.open("bob-laptop")
        self.open("alice-laptop")
        connections = page.locator(".figures section", has_text="Connected devices").locator("strong")
        expect(connections).to_have_text("2")
        rate = page.get_by_role("img", name=re.compile("Messages a second over the last 5 minutes: now [\\d.]+, at most (?!0$)"))
        for number in range(3):
            send(bobs, ALICE, text=f"One of three: {number}")
        expect(rate).to_be_visible()
        latency = page.get_by_role("img", name=re.compile("to commit \\(p99\\) over the last 5 minutes: .* at most (?!0$)"))
        expect(latency).to_be_visible()
        expect(page.get_by_text("3 messages")).to_be_visible()

    def test_an_account_from_its_making_to_its_suspension(self):
        page = self.signed_in()
        page.get_by_role("link", name="Accounts").click()
        expect(page.get_by_role("link", name="Alice")).to_be_visible()
        page.get_by_role("button", name="New account").click()
        page.get_by_label("Name").fill("Carol")
        page.get_by_label("Addresses").fill("carol@elsewhere.example")
        page.get_by_label("Password").fill("a password of hers")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("alert").filter(has_text="domains")).to_be_visible()
        page.get_by_label("Addresses").fill("carol@demo.example")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", name="Carol")).to_be_visible()
        page.get_by_label("Amount").fill("25")
        page.get_by_label("Note").fill("A present")
        page.get_by_role("button", name="Book").click()
        expect(page.get_by_role("row", name=re.compile("A present 25"))).to_be_visible()
        page.get_by_role("button", name="Suspend").click()
        expect(page.locator("p.problem", has_text="Suspended")).to_be_visible()
        page.get_by_role("button", name="Lift the suspension").click()
        expect(page.locator("p.good", has_text="Active")).to_be_visible()
        # Found again by address.
        page.get_by_role("link", name="All accounts").click()
        page.get_by_label("Find by number or address").fill(ALICE)
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_role("heading", name="Alice")).to_be_visible()
        self.complaints = [one for one in self.complaints if "400" not in one]

    def test_a_revoked_device_is_signed_out(self):
        phone = self.open("alice-phone")
        page = self.signed_in()
        page.get_by_role("link", name="Accounts").click()
        page.get_by_role("link", name="Alice").click()
        page.on("dialog", lambda dialog: dialog.accept())
        row = page.get_by_role("row", name=re.compile("Connected")).first
        row.get_by_role("button", name="Revoke").click()
        expect(page.get_by_role("cell", name="Connected")).to_have_count(0)
        self.assertIsNotNone(phone)
        self.complaints = [one for one in self.complaints if "401" not in one]

    def test_a_message_is_traced(self):
        laptop, bobs = self.open("alice-laptop"), self.open("bob-laptop")
        send(bobs, ALICE, text="Where did it go?")
        laptop.locator(".conversations a", has_text="Where did it go?").click()
        identity = laptop.locator("[data-message]").last.get_attribute("data-message")
        # A device's cursor is kept about once a second.
        laptop.wait_for_timeout(2500)
        page = self.signed_in()
        page.get_by_role("link", name="Trace").click()
        page.get_by_label("Message id").fill(identity)
        page.get_by_role("button", name="Trace").click()
        expect(page.get_by_role("heading", name=re.compile("Alice.*received"))).to_be_visible()
        expect(page.get_by_text(re.compile("the whole message, has it")).first).to_be_visible()

    def test_queue_and_errors_say_when_there_is_nothing(self):
        page = self.signed_in()
        page.get_by_role("link", name="Queue").click()
        expect(page.get_by_text("Nothing waits")).to_be_visible()
        page.get_by_role("link", name="Errors").click()
        expect(page.get_by_text("No warnings")).to_be_visible()

    def test_every_page_is_accessible(self):
        for scheme in ("light", "dark"):
            page = self.signed_in()
            page.emulate_media(color_scheme=scheme)
            for width in (1200, 360):
                page.set_viewport_size({"width": width, "height": 800})
                for name in ("overview", "accounts", "accounts/1", "queue", "errors", "trace"):
                    page.goto(f"{self.demo.operator}/#/{name}")
                    expect(page.locator("main h2").first).to_be_visible()
                    page.wait_for_timeout(300)
                    results = Axe().run(page)
                    self.assertEqual(results.violations_count, 0, f"{name} {scheme} {width}: {results.generate_report()}")
            page.close()


if __name__ == "__main__":
    unittest.main()
