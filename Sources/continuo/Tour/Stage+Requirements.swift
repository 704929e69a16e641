import AsyncHTTPClient
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import NIOCore
import NIOHTTP1
import SessionCore

/// R1 to R9: what the steps have not shown yet.
extension Stage {
    /// A text of Bob's, and when it is at Alice's.
    func write(_ text: String) async throws -> MessageID {
        let sent = try await run("send", Self.alice, "--text", text, "--device", "bob-mobile", "--json")
        guard sent.status == 0 else { throw TourFailure("not sent: \(sent.text)") }
        let item = try await eventually("'\(text)' at Alice's provider") {
            try await client("alice-mobile").search(text).items.first
        }
        return try MessageID(item.id)
    }

    /// R1
    func notifiesAll() async throws -> String {
        try await watch("alice-mobile")
        let id = try await write("Evening")
        try await terminal("alice-mobile").hear("arrived", "the message") { $0.item?.id == id.description }
        try await page("alice-laptop").until("a pop-up", "tour.popups.some((one) => one.includes('Evening'))")
        _ = try await eventually("the fixed phone shows it") { phoneShows.contains("\"Evening\"") ? true : nil }
        return "one message: mobile (terminal), laptop (browser) and fixed phone (SIP) told of it"
    }

    /// R2
    func decidesByRule() async throws -> String {
        let alice = try client("alice-mobile")
        var lines: [String] = []
        for (name, address, types) in [
            ("text", Self.alice, ["text/plain"]), ("picture", Self.alice, ["text/plain", "image/png"]),
            ("to the business address", Self.work, ["text/plain"]),
        ] {
            var request = DryRunRequest(from: try Address(Self.bob))
            request.to = [try Address(address)]
            request.mediaTypes = types
            let got = try await alice.tryRules(request).devices.map { "\($0.kind.rawValue) \($0.deliver)" }
            lines.append("\(name): \(Set(got).sorted().joined(separator: ", "))")
        }
        guard lines[1].contains("mobile notification"), lines[0].contains("mobile whole"),
            lines[2].contains("mobile nothing"), lines[2].contains("computer whole")
        else { throw TourFailure("by rules: \(lines)") }
        return lines.joined(separator: "; ")
    }

    /// R3
    func linkDownloads() async throws -> String {
        let sent = try await run(
            "send",
            Self.alice,
            "--subject",
            "Linked",
            "--text",
            "Behind the link",
            "--file",
            pictures[0],
            "--device",
            "bob-mobile"
        )
        guard sent.status == 0 else { throw TourFailure("not sent: \(sent.text)") }
        let item = try await eventually("the notification on the mobile") {
            try await client("alice-mobile").messages(box: "inbox").items.first { $0.notice?.subject == "Linked" }
        }
        guard let link = item.notice?.link else { throw TourFailure("no link") }
        let answer = try await HTTPClient.shared.execute(HTTPClientRequest(url: link), timeout: .seconds(20))
        let page = String(buffer: try await answer.body.collect(upTo: 1 << 20))
        guard answer.status == .ok, page.contains("Behind the link") else {
            throw TourFailure("the link gives \(answer.status)")
        }
        return "the mobile's notification has \(link.prefix(40))...; it gives the whole message, without signing in"
    }

    /// R4
    func reportsLater() async throws -> String {
        let id = try await write("Report me")
        switchOff("bob-mobile")
        _ = try await client("alice-mobile").markRead(ReadRequest(ids: [id]))
        let state = try await eventually("the report on Bob's mobile, once it is back") {
            let told = try await run("watch", "--once", "--json", "--device", "bob-mobile")
            return Self.items(told.text).last { $0.id == id.description }?.receivers?.first?.state == "displayed"
                ? "displayed" : nil
        }
        return "Bob's mobile was off when Alice read; '\(state)' came with its next registration"
    }

    /// R5
    func statusLater() async throws -> String {
        let id = try await write("Mark me")
        switchOff("alice-mobile")
        try await read(id, on: "alice-laptop")
        let told = try await run("watch", "--once", "--json", "--device", "alice-mobile")
        guard Self.items(told.text).last(where: { $0.id == id.description })?.read == true else {
            throw TourFailure("the mobile holds it as unread")
        }
        return "read on the laptop while the mobile was off: read on the mobile right after its registration"
    }

    /// The laptop shows a message for a moment.
    private func read(_ id: MessageID, on name: String) async throws {
        let page = try page(name)
        try await openThread(page)
        try await page.until("the message", "tour.find('[data-message=\"\(id)\"]') !== undefined")
        _ = try await eventually("read") { try await client("alice-mobile").message(id).read == true ? true : nil }
    }

    /// R6
    func deletedLater() async throws -> String {
        let id = try await write("Delete me")
        try await openThread(try page("alice-laptop"))
        try await page("alice-laptop").until("the message", "tour.find('[data-message=\"\(id)\"]') !== undefined")
        switchOff("alice-mobile")
        _ = try await run("watch", "--once", "--device", "alice-mobile")
        try await ensure("alice-tablet", "Alice's tablet")
        let deleted = try await run("delete", id.description, "--device", "alice-tablet")
        guard deleted.status == 0 else { throw TourFailure("not deleted: \(deleted.text)") }
        try await page("alice-laptop").until("it gone", "!document.querySelector('[data-message=\"\(id)\"]')")
        let told = try await run("watch", "--once", "--json", "--device", "alice-mobile")
        let events = told.text.split(separator: "\n").filter { $0.contains(id.description) }
        guard events.contains(where: { $0.contains("\"gone\"") }) else {
            throw TourFailure("the mobile was not told: \(events)")
        }
        return
            "deleted on a tablet: gone from the laptop at once, from the mobile, which was off, with its registration"
    }

    /// R7
    func keptAsNotice() async throws -> String {
        let id = try await write("Keep the notice")
        _ = try await client("alice-mobile").delete([id], .here)
        let kept = try await client("alice-mobile").message(id)
        guard kept.notice != nil, kept.message == nil else { throw TourFailure("no notification is kept") }
        guard try await client("alice-mobile").fetch(id).message?.parts.first?.text == "Keep the notice" else {
            throw TourFailure("it cannot be fetched again")
        }
        return "deleted on the mobile alone: its notification stays, and brings the message back"
    }

    /// R8
    func storedReceived() async throws -> String {
        let id = try await write("Kept for Alice")
        try await logIn("alice-new", "Alice's new computer", .computer)
        let listed = try await run("inbox", "--json", "--device", "alice-new")
        guard listed.text.contains(id.description) else { throw TourFailure("a new device does not see it") }
        return "a device that registers now reads what was received before, from a.example"
    }

    /// R9
    func storedSent() async throws -> String {
        let id = try await write("Kept for Bob")
        try await logIn("bob-new", "Bob's new computer", .computer)
        let listed = try await run("inbox", "--sent", "--json", "--device", "bob-new")
        guard listed.text.contains(id.description) else { throw TourFailure("a new device does not see it") }
        return "a device that registers now reads what was sent before, from b.example"
    }
}
