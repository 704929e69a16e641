import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// Steps 11 to 15: what is read, reported, deleted and saved.
extension Stage {
    /// Opens the thread of the two, which is the same on both sides.
    func openThread(_ page: Page) async throws {
        let place = quoted("#/messages/\(try await thread())")
        try await page.run("if (decodeURIComponent(location.hash) !== \(place)) location.hash = \(place)")
        try await page.until("the conversation", "tour.shows('form.line textarea')")
    }

    /// A conversation is asked for in a thread: something has to stand in it.
    private func thread() async throws -> ConversationID {
        if let conversation { return conversation }
        let id = try await write("Hello")
        guard let found = try await client("alice-mobile").message(id).conversation else {
            throw TourFailure("a message without a conversation")
        }
        conversation = found
        return found
    }

    /// 11
    func read() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        try await ensure("alice-tablet", "Alice's tablet")
        let laptop = try page("alice-laptop")
        try await openThread(laptop)
        let pictures = "tour.find('.bubbles img') && tour.all('.bubbles img').some((one) => one.naturalWidth > 300)"
        try await laptop.until("the pictures", pictures)
        try await terminal("alice-mobile").hear("changed", "read on the laptop, so here") {
            $0.item?.id == message.description && $0.item?.read == true
        }
        // A device that was off meanwhile learns it with its registration.
        let tablet = try await run("watch", "--once", "--json", "--device", "alice-tablet")
        let item = Self.items(tablet.text).last { $0.id == message.description }
        guard item?.read == true else { throw TourFailure("the tablet holds it as unread") }
        return
            "opened on the laptop, with its pictures; read on the mobile at once, and on a tablet that was off as soon as it registered"
    }

    /// A device that is off most of the time.
    func ensure(_ name: String, _ label: String) async throws {
        if (try? client(name)) == nil { try await logIn(name, label, .tablet) }
    }

    /// The items that a run of `watch` told of.
    static func items(_ text: String) -> [ItemDocument] {
        text.split(separator: "\n").compactMap { try? StrictJSON.decode(Heard.self, from: Data($0.utf8)).item }
    }

    /// 12
    func reports() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        var states: [String] = []
        _ = try await eventually("the read report on Bob's mobile") {
            states = try terminal("bob-mobile").heard.filter { $0.item?.id == message.description }
                .compactMap { $0.item?.receivers?.first?.state }
            return states.contains("displayed") ? true : nil
        }
        guard states.filter({ $0 == "displayed" }).count == 1,
            states.contains("delivered") || states.contains("pending")
        else { throw TourFailure("reports: \(states)") }
        for name in ["bob-laptop", "bob-pda"] {
            let page = try page(name)
            try await openThread(page)
            try await page.until(
                "the mark 'Read'",
                "tour.find('[data-message=\"\(message)\"] .receivers', 'Read') !== undefined"
            )
        }
        return "Bob's mobile: \(states.joined(separator: ", ")), each once; laptop and PDA show 'Read'"
    }

    /// 13
    func deleteEverywhere() async throws -> String {
        let later = try await eventually("the message to delete") {
            try await client("alice-mobile").messages(box: "inbox").items.first {
                $0.message?.parts.first?.text == "Later"
            }
        }
        let laptop = try page("alice-laptop")
        try await openThread(laptop)
        let place = "[data-message=\"\(later.id)\"]"
        try await laptop.until(
            "its menu",
            "(() => { const one = tour.find('\(place) details'); if (one) one.open = true; return one !== undefined; })()"
        )
        try await laptop.until("deleting", "tour.press('Delete everywhere', '\(place)')")
        try await terminal("alice-mobile").hear("gone", "deleted on the laptop, so here") { $0.item?.id == later.id }
        let left = try await client("alice-mobile").messages(box: "inbox").items.contains { $0.id == later.id }
        guard !left else { throw TourFailure("Alice's storage holds it still") }
        let tablet = try await run("inbox", "--json", "--all", "--device", "alice-tablet")
        guard !tablet.text.contains(later.id) else { throw TourFailure("the tablet has it still") }
        return "deleted on the laptop: gone from the mobile, the tablet and Alice's storage"
    }

    /// 14
    func deleteHere() async throws -> String {
        guard let message else { throw TourFailure("there is no message") }
        let id = message.description
        let fetched = try await run("fetch", id, "--device", "alice-mobile", "--json")
        guard fetched.status == 0 else { throw TourFailure("not fetched: \(fetched.text)") }
        let deleted = try await run("delete", id, "--here", "--device", "alice-mobile")
        guard deleted.status == 0 else { throw TourFailure("not deleted: \(deleted.text)") }
        let kept = try await client("alice-mobile").message(message)
        guard kept.notice != nil, kept.message == nil else { throw TourFailure("the mobile keeps no notification") }
        let laptop = try page("alice-laptop")
        try await openThread(laptop)
        try await laptop.until("the message, whole", "tour.find('[data-message=\"\(id)\"] .text') !== undefined")
        let again = try await client("alice-mobile").fetch(message)
        guard again.message?.parts.count == 3 else { throw TourFailure("the mobile cannot get it again") }
        return
            "the mobile keeps '\(kept.notice?.subject ?? "")' as a notification, and fetches it again; the laptop has it"
    }

    /// 15
    func save() async throws -> String {
        let laptop = try page("alice-laptop")
        try await openThread(laptop)
        try await laptop.until(
            "saving",
            "(() => { const one = tour.find('.bubbles a.file', 'harbour.png'); one?.click(); return one !== undefined; })()"
        )
        let original = FileManager.default.contents(atPath: pictures[0])
        let folder = folder + "/downloads-alice-laptop"
        let saved = try await eventually("the picture on the laptop's disk") {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            // Until all of it is there it has another name.
            return names.first {
                $0.hasSuffix(".png") && FileManager.default.contents(atPath: "\(folder)/\($0)") == original
            }
        }
        return "\(saved) on the laptop's disk, \(original?.count ?? 0) bytes, the same as Bob's"
    }
}
