import ClientWire
import Interconnect
import MediaSignalling
import MessagingCore
import MessagingService
import SDP
import SessionCore
import Store
import Testing

/// Voice and video between two providers that speak to each other as they would to anybody else's.
@Suite("Voice and video in SIP between two providers", .timeLimit(.minutes(4)))
struct StrangerMediaTests {
    /// A conversation that Alice asked for, with a device of each.
    struct Talk {
        let a: Provider
        let b: Provider
        let alice: MediaDevice
        let bob: MediaDevice
        let id: SessionID

        init() async throws {
            (a, b) = try await strangers()
            alice = MediaDevice(try await a.person("alice"), at: a)
            bob = MediaDevice(try await b.person("bob"), at: b)
            id = try await a.ask(alice.person, bob.person.address)
            _ = try await b.session(bob.person, id, "ringing") { $0.state == .alerting }
            _ = try await b.service.accept(bob.person.who, id, AcceptRequest())
            _ = try await a.session(alice.person, id, "open") { $0.state == .open }
            _ = try await b.session(bob.person, id, "open") { $0.state == .open }
        }

        func end() async {
            await alice.close()
            await bob.close()
            await a.stop()
            await b.stop()
        }

        func propose(_ kind: MediumKind, at provider: Provider, by person: Person) async throws {
            let document = try await provider.session(person, id)
            var request = MediaRequest(id: provider.newID(), revision: document.revision, change: .add)
            request.kind = kind
            _ = try await provider.service.propose(person.who, id, request)
        }

        func change(_ change: MediaRequest.Change, at provider: Provider, by person: Person) async throws {
            let document = try await provider.session(person, id)
            let medium = try #require(document.media.first?.id)
            let request = MediaRequest(
                id: provider.newID(),
                revision: document.revision,
                change: change,
                medium: medium
            )
            _ = try await provider.service.propose(person.who, id, request)
        }

        /// Both sides' documents, once both are as wanted.
        func both(_ what: String, _ isWanted: (SessionDocument) -> Bool) async throws {
            _ = try await a.session(alice.person, id, what, until: isWanted)
            _ = try await b.session(bob.person, id, what, until: isWanted)
        }
    }

    @Test("either side proposes; the other one's device answers; held, resumed and removed, whoever asked for the talk")
    func bothWays() async throws {
        let talk = try await Talk()
        let ends = [(talk.a, talk.alice, talk.b, talk.bob), (talk.b, talk.bob, talk.a, talk.alice)]
        for (index, (ours, own, theirs, other)) in ends.enumerated() {
            try await talk.propose(.audio, at: ours, by: own.person)
            try await own.offers(MediaDevice.line("audio", at: "192.0.2.1\(index)", "A\(index)"))
            let asked = try await theirs.session(other.person, talk.id, "asked") { document in
                document.pending.contains { $0.awaited == [other.person.address] }
            }
            let change = try #require(asked.pending.first?.id)
            _ = try await theirs.service.answer(other.person.who, talk.id, change, MediaAnswer(accept: true))
            let line = MediaDevice.line("audio", at: "192.0.2.2\(index)", "B\(index)", setup: "active")
            #expect(try await other.takes(line).attribute("ice-ufrag") == "userA\(index)")
            let answer = try await own.answer()
            #expect(answer.attribute("ice-ufrag") == "userB\(index)")
            #expect(answer.setup == .active)
            try await talk.both("voice") { $0.media.count == 1 && $0.pending.isEmpty }

            for (provider, person) in [(ours, own.person), (theirs, other.person)] {
                try await talk.change(.hold, at: provider, by: person)
                try await talk.both("held") { $0.media.first?.held == [person.address] }
                try await talk.change(.resume, at: provider, by: person)
                try await talk.both("resumed") { $0.media.first?.held == [] }
            }
            try await talk.change(.remove, at: theirs, by: other.person)
            try await talk.both("removed") { $0.media.isEmpty }
        }
        try await talk.a.say("still here", talk.alice.person, talk.id)
        _ = try await eventually("the text") {
            try await talk.b.said(talk.bob.person, talk.id) == ["still here"] ? true : nil
        }
        await talk.end()
    }

    @Test("not wanted: nothing is left of it on either side")
    func declined() async throws {
        let talk = try await Talk()
        try await talk.propose(.video, at: talk.b, by: talk.bob.person)
        try await talk.bob.offers(MediaDevice.line("video", at: "192.0.2.10", "A0"))
        let asked = try await talk.a.session(talk.alice.person, talk.id, "asked") { !$0.pending.isEmpty }
        let change = try #require(asked.pending.first?.id)
        _ = try await talk.a.service.answer(talk.alice.person.who, talk.id, change, MediaAnswer(accept: false))
        _ = try await talk.bob.hears("why") { if case .refused = $0 { true } else { nil } }
        try await talk.both("nothing") { $0.media.isEmpty && $0.pending.isEmpty && $0.state == .open }
        await talk.end()
    }

    @Test("both propose the same at once: one medium comes of it")
    func crossed() async throws {
        let talk = try await Talk()
        async let first: Void = talk.propose(.audio, at: talk.a, by: talk.alice.person)
        async let second: Void = talk.propose(.audio, at: talk.b, by: talk.bob.person)
        _ = try await (first, second)
        // Each device answers what it is asked, until both sides have the same.
        let devices = [(talk.alice, "A"), (talk.bob, "B")].map { device, name in
            Task { await device.plays("audio", name) }
        }
        for (provider, person) in [(talk.a, talk.alice.person), (talk.b, talk.bob.person)] {
            _ = try await eventually("voice at \(person.address)", seconds: 90) {
                let document = try await provider.session(person, talk.id)
                for change in document.pending where change.awaited == [person.address] {
                    _ = try? await provider.service.answer(person.who, talk.id, change.id, MediaAnswer(accept: true))
                }
                return document.media.count == 1 && document.pending.isEmpty ? true : nil
            }
        }
        for device in devices { device.cancel() }
        await talk.end()
    }
}
