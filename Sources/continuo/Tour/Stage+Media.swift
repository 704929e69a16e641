import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// The second alternative, steps 27 to 41: voice and a stored video come into the conversation.
extension Stage {
    static let pages = ["alice-laptop", "bob-pda", "bob-laptop"]

    /// 27
    func mediaBegin() async throws -> String {
        try await talk()
        try await say("Shall we talk?", on: "bob-pda")
        try await sees("Shall we talk?", on: "alice-laptop")
        return "a conversation of text, on Alice's laptop and Bob's PDA"
    }

    /// 28
    func lists() async throws -> String {
        let pda = try page("bob-pda")
        try await pda.until("the conversation", "tour.shows('section.live', 'Live with \(Self.alice), on This device')")
        try await pda.until("asking for her devices", "tour.press('Their devices', 'section.live')")
        let theirs = try await pda.until(
            "Alice's devices",
            "(() => { const all = tour.texts('dialog .cards li'); return all.length >= 3 && all; })()"
        )
        try await pda.until("closing", "tour.press('Close', 'dialog')")
        let own = try await client("bob-mobile").devices().map(\.device.label).sorted()
        let described = theirs.strings.map { $0.replacingOccurrences(of: "\n", with: " ") }
        guard
            described.contains(where: { $0.contains("Alice's laptop") && $0.contains("video") || $0.contains("Video") })
        else { throw TourFailure("what Alice's devices can do is not shown: \(described)") }
        return
            "the session, text only; Bob's: \(own.joined(separator: ", ")); Alice's: \(described.joined(separator: "; "))"
    }

    /// 29
    func proposeVoice() async throws -> String {
        let pda = try page("bob-pda")
        mediaPaid = try await paidMedia().count
        try await pda.until("adding voice", "tour.press('Add voice', 'section.live')")
        let offered = try await pda.until("his devices", "tour.options('Device').join(', ')")
        try await pda.until("proposing it", "tour.press('Propose', 'dialog')")
        return "'Add voice' on the PDA; for the voice it offers \(offered.string ?? "?")"
    }

    /// 30
    func voiceProposed() async throws -> String { try await mediumTaken("voice") }

    /// Bob's provider has taken a proposal: it has checked the right to it, and the price.
    private func mediumTaken(_ what: String) async throws -> String {
        let paid = try await eventually("the proposal at Bob's provider") {
            let paid = try await paidMedia()
            return paid.count > mediaPaid ? paid : nil
        }
        return "b.example has taken it: \(Self.tariff.perMedium) for \(what), balance \(paid.first?.balance ?? 0)"
    }

    /// What Bob has paid for media, newest first.
    private func paidMedia() async throws -> [LedgerDocument] {
        try await client("bob-mobile").ledger().lines.filter { $0.amount == -Self.tariff.perMedium }
    }

    private func pending() async throws -> SessionDocument.Pending {
        try await eventually("the proposal at Alice's provider") {
            try await client("alice-mobile").session(try current).pending.first
        }
    }

    /// 31
    func voiceAsked() async throws -> String {
        let pending = try await pending()
        let laptop = try page("alice-laptop")
        let text = try await laptop.until("the proposal", "tour.texts('.changes li')[0] ?? ''")
        guard pending.by.description.contains("bob") else { throw TourFailure("proposed by \(pending.by)") }
        return "a.example has it; her laptop shows '\(text.string?.firstLine ?? "")'"
    }

    /// Accepts what is proposed, on one of Alice's devices.
    func acceptChange(on device: String) async throws {
        let laptop = try page("alice-laptop")
        try await laptop.until("accepting", "tour.press('Accept', '.changes li')")
        _ = try await eventually("the medium accepted") {
            _ = try await laptop.run("tour.pick('Device', \(quoted(device))) && tour.press('Accept', 'dialog')")
            return try await client("alice-mobile").session(try current).pending.isEmpty ? true : nil
        }
    }

    /// 32
    func voiceAccepted() async throws -> String {
        try await acceptChange(on: "Alice's laptop")
        let medium = try await medium(.audio, placed: 2)
        return "accepted on the laptop: \(medium.kind.rawValue), on one device of each"
    }

    /// A medium with so many places.
    @discardableResult
    func medium(_ kind: MediumKind, placed: Int) async throws -> SessionDocument.Medium {
        try await eventually("\(kind.rawValue) on \(placed) devices") {
            try await client("bob-mobile").session(try current).media
                .first { $0.kind == kind && $0.placements.count == placed }
        }
    }

    func received(_ kind: String) async throws -> [String: Double] {
        var all: [String: Double] = [:]
        for name in Self.pages { all[name] = try await page(name).run("tour.received(\(quoted(kind)))").double ?? 0 }
        return all
    }

    /// Waits until a medium arrives, more and more, on some pages; gives what has come everywhere.
    func flows(_ kind: String, on names: [String]) async throws -> [String: Double] {
        let before = try await received(kind)
        return try await eventually("\(kind) arrives on \(names.joined(separator: " and "))") {
            let now = try await received(kind)
            return names.allSatisfy { now[$0, default: 0] > before[$0, default: 0] + 2000 } ? now : nil
        }
    }

    /// 33
    func voiceFlows() async throws -> String {
        let now = try await flows("audio", on: ["alice-laptop", "bob-pda"])
        guard now["bob-laptop"] == 0 else { throw TourFailure("voice arrives on Bob's laptop") }
        try await say("I hear you", on: "alice-laptop")
        try await sees("I hear you", on: "bob-pda")
        let bytes = now.sorted { $0.key < $1.key }.map { "\($0.key) \(Int($0.value))" }
        return "bytes of voice received: \(bytes.joined(separator: ", ")); text goes on"
    }

    /// 34
    func videos() async throws -> String {
        let files = try await client("bob-mobile").files().files.filter { $0.type.hasPrefix("video/") }
        guard let film = files.first else { throw TourFailure("there is no video in Bob's area") }
        return "in Bob's area at b.example: \(film.name), \(film.bytes) bytes"
    }

    /// 35
    func proposeVideo() async throws -> String {
        let pda = try page("bob-pda")
        mediaPaid = try await paidMedia().count
        try await pda.until("showing a video", "tour.press('Show a stored video', 'section.live')")
        let files = try await pda.until("his videos", "tour.options('Video').join(', ')")
        try await pda.until("his laptop", "tour.pick('Device', \"Bob's laptop\")")
        return "on the PDA: \(files.string ?? "?") of Bob's area, for his laptop"
    }

    /// 36
    func sendProposal() async throws -> String {
        try await page("bob-pda").until("proposing it", "tour.press('Propose', 'dialog')")
        return try await mediumTaken("the video")
    }

    /// 37
    func videoForwarded() async throws -> String {
        let pending = try await pending()
        return
            "a.example has it, revision \(try await client("alice-mobile").session(try current).revision): \(pending.kind?.rawValue ?? "?")"
    }

    /// 38
    func videoAsked() async throws -> String {
        let text = try await page("alice-laptop").until("the proposal", "tour.texts('.changes li')[0] ?? ''")
        return "Alice's laptop shows '\(text.string?.firstLine ?? "")'"
    }

    /// 39
    func videoAccepted() async throws -> String {
        try await acceptChange(on: "Alice's laptop")
        return "accepted, for her laptop"
    }

    /// 40
    func videoAnswered() async throws -> String {
        let medium = try await medium(.storedVideo, placed: 2)
        let laptop = try page("bob-laptop")
        try await openThread(laptop)
        for name in ["alice-laptop", "bob-laptop"] {
            try await page(name).until("the video", "document.querySelector('.player video')?.readyState >= 2")
        }
        return
            "b.example has her answer: medium \(medium.id.rawValue), on both laptops; each has it from its own provider"
    }

    /// 41
    func videoInStep() async throws -> String {
        let (first, second) = (try page("alice-laptop"), try page("bob-laptop"))
        try await first.until("playing", "tour.press('Play', '.player')")
        for page in [first, second] { try await page.until("the video plays", "tour.playing()?.plays") }
        let apart = try await apart(first, second)
        try await say("That is the opera house", on: "bob-pda")
        try await sees("That is the opera house", on: "alice-laptop")
        try await second.until("pausing", "tour.press('Pause', '.player')")
        for page in [first, second] { try await page.until("the video rests", "tour.playing()?.plays === false") }
        _ = try await eventually("the same frame on both laptops") {
            let one = try await first.run("tour.picture()").string
            return one == (try await second.run("tour.picture()").string) && one?.isEmpty == false ? true : nil
        }
        return String(
            format: "playing, at most %.0f ms apart; paused by Bob: the same frame; text goes on",
            apart * 1000
        )
    }

    /// How far apart two pages are in a video that plays, in seconds, once they had a moment to get into step.
    private func apart(_ first: Page, _ second: Page) async throws -> Double {
        var distances: [Double] = []
        return try await eventually("both laptops in step") {
            let (one, other) = (try await first.run("tour.playing()"), try await second.run("tour.playing()"))
            guard let at = one["at"].double, let position = one["position"].double, let then = other["at"].double,
                let there = other["position"].double
            else { return nil }
            distances.append(abs((there - position) - (then - at) / 1000))
            // One reading may have been held up between the two pages: of ten in a row, nine count.
            let last = distances.suffix(10).sorted()
            return last.count == 10 && last[8] < 0.05 ? last[8] : nil
        }
    }
}
