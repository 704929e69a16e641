import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// R10 to R18: what the steps have not shown yet.
extension Stage {
    /// R10
    func requestEverywhere() async throws -> String {
        try await beginTalk()
        let bobs = try await alerts()
        _ = try await client("alice-mobile").leave(try current)
        // And the other way, where one of the devices is a SIP phone.
        let pda = try page("bob-pda")
        try await pda.until("nothing live", "!tour.shows('section.live') && !tour.shows('.requests li')")
        try await openThread(pda)
        try await pda.until("asking", "tour.press('Talk live')")
        try await page("alice-laptop").until("the request", "tour.shows('.requests li', \(quoted(Self.bob)))")
        let heard = try await terminal("alice-mobile").hear("request", "the request") {
            $0.session?.creator.description.contains("bob") == true
        }
        _ = try await eventually("the fixed phone tells of the request") {
            phoneShows.contains("asks for a conversation") ? true : nil
        }
        if let id = heard.session?.id { _ = try await client("bob-mobile").leave(id) }
        return "Bob's: \(bobs); Alice's: laptop, mobile, and the fixed phone as a message that she can answer"
    }

    /// R11
    func oneAccepts() async throws -> String {
        try await beginTalk()
        _ = try await alerts()
        try await accept(on: "bob-laptop")
        try await page("bob-pda").until("the request gone", "!tour.shows('.requests li')")
        let id = try current
        let outcome = try await terminal("bob-mobile").hear("outcome", "the request gone") { $0.session?.id == id }
        return
            "accepted on the laptop: gone from the PDA; the mobile: \(outcome.session?.request?.outcome.rawValue ?? "?")"
    }

    /// R12
    func withoutInterruption() async throws -> String {
        try await talk()
        let count = 30
        let (laptop, pda, mobile) = (try page("alice-laptop"), try page("bob-pda"), try terminal("alice-mobile"))
        let before = try await order("bob-mobile").count
        async let bobs: Void = Self.type(count, "bob", pda)
        // On the laptop she types on until she sees that it has moved.
        async let alices = Self.typeUntilMoved(laptop)
        try mobile.type("/open \(try current)")
        try mobile.type("/here all")
        let last = try await alices
        for number in 0..<count { try mobile.type("mobile \(number)") }
        try await bobs
        let expected = before + 2 * count + last
        let texts = try await commonOrder(atLeast: expected)
        let words = texts.map { String($0.split(separator: " ", maxSplits: 1)[1]) }
        for (who, many) in [("bob", count), ("laptop", last), ("mobile", count)] {
            let said = words.filter { $0.hasPrefix("\(who) ") }
            guard said == (0..<many).map({ "\(who) \($0)" }) else { throw TourFailure("\(who)'s texts: \(said)") }
        }
        try await sees("mobile \(count - 1)", on: "bob-pda")
        let all = 2 * count + last
        let voice = try await movedCall()
        return
            "\(all) texts while it moved from laptop to mobile: none lost, doubled or out of order, one order for both; "
            + voice
    }

    private static func type(_ count: Int, _ who: String, _ page: Page) async throws {
        for number in 0..<count {
            try await page.until("typing", "tour.say('\(who) \(number)')")
            try await Task.sleep(for: .milliseconds(25))
        }
    }

    /// - Returns: how many texts were said in the conversation.
    private static func typeUntilMoved(_ page: Page) async throws -> Int {
        let end = ContinuousClock.now + Patience.now
        var count = 0
        // What is said when it has moved would be a message of its own: looking and saying are one step.
        while try await page.run("tour.shows('section.live', 'This device') && tour.say('laptop \(count)')").isSomething
        {
            count += 1
            guard ContinuousClock.now < end else { throw TourFailure("it never moved") }
            try await Task.sleep(for: .milliseconds(25))
        }
        return count
    }

    /// R13
    func severalDevices() async throws -> String {
        try await talk()
        try terminal("alice-mobile").type("/open \(try current)")
        try terminal("alice-mobile").type("/add")
        let legs = try await eventually("two devices of Alice's in the conversation") {
            let live = try await client("alice-mobile").session(try current).legs.filter { $0.state == .live }
            return live.count == 2 ? live : nil
        }
        try await say("To both of you", on: "bob-pda")
        try await sees("To both of you", on: "alice-laptop")
        try await terminal("alice-mobile").hear("said", "Bob's text") { $0.text == "To both of you" }
        return "\(legs.count) live legs of Alice's; what Bob says is on the laptop and on the mobile"
    }

    /// R14
    func mediaChange() async throws -> String {
        try await talk()
        _ = try await proposeVoice()
        _ = try await voiceAsked()
        _ = try await voiceAccepted()
        _ = try await flows("audio", on: ["alice-laptop", "bob-pda"])
        let pda = try page("bob-pda")
        try await pda.until("holding", "tour.press('Hold', '[data-medium=audio]')")
        _ = try await eventually("held") {
            try await client("alice-mobile").session(try current).media.first?.held.isEmpty == false ? true : nil
        }
        try await pda.until("going on", "tour.press('Resume', '[data-medium=audio]')")
        _ = try await eventually("running again") {
            try await client("alice-mobile").session(try current).media.first?.held.isEmpty == true ? true : nil
        }
        try await pda.until("moving", "tour.press('Move to another device', '[data-medium=audio]')")
        try await pda.until("his laptop", "tour.pick('Device', \"Bob's laptop\") && tour.press('Move', 'dialog')")
        let bytes = try await flows("audio", on: ["alice-laptop", "bob-laptop"])
        try await page("alice-laptop").until("removing", "tour.press('Remove', '[data-medium=audio]')")
        _ = try await eventually("no medium") {
            try await client("bob-mobile").session(try current).media.isEmpty ? true : nil
        }
        return
            "voice added, held, resumed, moved to Bob's laptop (\(Int(bytes["bob-laptop"] ?? 0)) bytes there), removed"
    }

    /// R15
    func chosenDevices() async throws -> String {
        try await talk()
        let pda = try page("bob-pda")
        try await pda.until("adding video", "tour.press('Add live video', 'section.live')")
        try await pda.until("his laptop", "tour.pick('Device', \"Bob's laptop\") && tour.press('Propose', 'dialog')")
        try await page("alice-laptop").until("the proposal", "tour.shows('.changes li', 'Accept')")
        try await acceptChange(on: "Alice's laptop")
        let bytes = try await flows("video", on: ["alice-laptop", "bob-laptop"])
        guard bytes["bob-pda"] == 0 else { throw TourFailure("video arrives on the PDA") }
        return
            "live video proposed on the PDA for Bob's laptop, accepted for Alice's: bytes on the laptops, none on the PDA"
    }

    /// R16
    func deviceLists() async throws -> String {
        try await talk()
        let bob = try client("bob-mobile")
        let own = try await bob.devices().map {
            "\($0.device.label) (\($0.device.capabilities.features.joined(separator: " ")))"
        }
        let theirs = try await bob.counterparts(try current).first?.devices ?? []
        guard own.count >= 3, theirs.count >= 3 else { throw TourFailure("lists: \(own) \(theirs.map(\.label))") }
        let others = theirs.map { "\($0.label) (\($0.features.joined(separator: " ")))" }
        return "own: \(own.sorted().joined(separator: ", ")); Alice's: \(others.sorted().joined(separator: ", "))"
    }

    /// R17
    func sessionLists() async throws -> String {
        try await talk()
        let listed = try await run("sessions", "--device", "bob-mobile")
        guard listed.text.contains("\(try current)"), listed.text.contains("Bob's PDA") else {
            throw TourFailure("not listed: \(listed.text)")
        }
        let lines = listed.text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        return lines.joined(separator: "; ")
    }

    /// R18
    func rejectedChange() async throws -> String {
        try await talk()
        let before = try await client("bob-mobile").session(try current).media
        _ = try await proposeVoice()
        try await page("alice-laptop").until("declining", "tour.press('Decline', '.changes li')")
        let after = try await eventually("nothing pending") {
            let session = try await client("bob-mobile").session(try current)
            return session.pending.isEmpty ? session.media : nil
        }
        guard before == after else { throw TourFailure("the session is not as it was") }
        try await say("Later, then", on: "bob-pda")
        try await sees("Later, then", on: "alice-laptop")
        return "voice proposed and declined: the session is as it was, and text goes on"
    }
}
