import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService
@testable import SessionCore

/// What a provider that is let in, and means harm, may say about sessions: nothing of it may end the process, reach other
/// conversations, or grow without end.
@Suite("Lines of a peer that means harm")
struct HostilePeerTests {
    private let clock = SteeredClock()
    private let mallory: Address
    private let id: SessionID

    init() throws {
        mallory = try Address("mallory@evil.example")
        id = try SessionID("evil-1")
    }

    private func parcel(_ number: Int64, _ line: SessionLine, to bob: Address, _ text: PeerText? = nil) -> SessionParcel
    {
        SessionParcel(session: id, from: mallory, to: bob, number: number, line: line, text: text)
    }

    /// Bob and Carol of one provider; Bob is in a session that Mallory owns, its next line is the third.
    private func session() async throws -> (world: World, bob: Person, carol: Person) {
        let world = try await World.open(clock: clock)
        let bob = try await world.person("bob", devices: [.mobile])
        let carol = try await world.person("carol", devices: [.mobile])
        let details = SessionDetails(
            creator: mallory,
            invited: [bob.address],
            conversation: ConversationID(stored: "evil"),
            subject: nil,
            started: clock.now
        )
        #expect(try await world.service.take(parcel(1, .request(details), to: bob.address)))
        _ = try await world.service.accept(bob.who, id, AcceptRequest())
        let admitted = FromOwner.admitted(first: 1, [mallory, bob.address])
        #expect(try await world.service.take(parcel(2, .fromOwner(admitted), to: bob.address)))
        #expect(try await world.session(bob, id).state == .open)
        return (world, bob, carol)
    }

    private func text(_ world: World, from: Address, to: Address, in conversation: String = "evil") throws -> PeerText {
        let envelope = Envelope(
            id: try world.newID(),
            from: from,
            to: [to],
            date: clock.now,
            kind: .inSession,
            conversation: ConversationID(stored: conversation),
            parts: [Part(type: "text/plain", text: "hello")]
        )
        return PeerText(envelope: envelope, reports: [])
    }

    @Test("numbers at the end of their type are refused, and the session goes on")
    func numbers() async throws {
        let (world, bob, _) = try await session()
        let change = { (revision: Revision) in
            MediaProposal(id: MessageID(stored: "m"), change: .hold(MediumID(rawValue: 1)), revision: revision)
        }
        let medium = { (generation: Int32, playback: Playback?) in
            Medium(
                id: MediumID(rawValue: 1),
                kind: .storedVideo,
                direction: .both,
                source: "film",
                owner: bob.address,
                playback: playback,
                placements: [
                    bob.address: Placement(device: bob.who.device, generation: Generation(rawValue: generation))
                ]
            )
        }
        let video = { (position: Int64, rate: Int32, at: Int64, revision: Int64) in
            let wish = Playback.Wish(isPlaying: true, position: position, rate: rate)
            return Playback(state: wish, at: Timestamp(rawValue: at), revision: revision)
        }
        let said = try text(world, from: mallory, to: bob.address)
        let lines: [(SessionLine, PeerText?)] = [
            (.fromOwner(.admitted(first: .min, [])), nil), (.fromOwner(.admitted(first: .max, [])), nil),
            (.fromOwner(.text(.max, said.envelope.id, from: mallory)), said),
            (.fromOwner(.text(.min, said.envelope.id, from: mallory)), said),
            (.fromOwner(.media(.max, [], pending: [])), nil), (.fromOwner(.media(-1, [], pending: [])), nil),
            (.fromOwner(.media(1, [medium(.max, nil)], pending: [])), nil),
            (.fromOwner(.media(1, [medium(.min, nil)], pending: [])), nil),
            (.fromOwner(.media(1, [medium(1, video(.max, 1000, 0, 1))], pending: [])), nil),
            (.fromOwner(.media(1, [medium(1, video(0, .max, 0, 1))], pending: [])), nil),
            (.fromOwner(.media(1, [medium(1, video(0, 1000, .min, 1))], pending: [])), nil),
            (.fromOwner(.media(1, [medium(1, video(0, 1000, 0, .max))], pending: [])), nil),
            (.toOwner(.propose(change(.max))), nil),
            (.toOwner(.play(MediumID(rawValue: 1), video(.max, 1, 0, 0).state)), nil),
        ]
        for (line, text) in lines {
            await #expect(throws: Refusal(.invalidMessage, ""), "\(line)") {
                try await world.service.take(self.parcel(3, line, to: bob.address, text))
            }
        }
        for number in [Int64.min, -1, 0, .max, 1 << 53 + 1] {
            await #expect(throws: Refusal(.invalidMessage, "")) {
                try await world.service.take(self.parcel(number, .fromOwner(.participants([])), to: bob.address))
            }
        }
        let many = (0...SessionLimits.participants).map { Address(stored: "sip:u\($0)@evil.example") }
        for line in [FromOwner.participants(many), .media(1, Array(repeating: medium(1, nil), count: 17), pending: [])]
        {
            await #expect(throws: Refusal(.tooMany, "")) {
                try await world.service.take(self.parcel(3, .fromOwner(line), to: bob.address))
            }
        }
        #expect(
            try await world.service.take(
                parcel(3, .fromOwner(.text(1, said.envelope.id, from: mallory)), to: bob.address, said)
            )
        )
        #expect(try await world.texts(bob.who, id) == ["hello"])
        try await world.expectSound()
    }

    @Test("a generation after the last there can be is the last one")
    func generations() {
        #expect(Generation(rawValue: .max).next.rawValue == .max)
        #expect(Generation(rawValue: 7).next.rawValue == 8)
    }

    @Test("nobody speaks in the name of this provider's users, or of somebody who is not in the session")
    func names() async throws {
        let (world, bob, carol) = try await session()
        let eve = try Address("eve@other.example")
        let nobody = Address(stored: "sip:nobody@\(world.domain)")
        for name in [carol.address, eve, nobody] {
            let said = try text(world, from: name, to: bob.address)
            await #expect(throws: Refusal(.forbidden, "")) {
                let line = FromOwner.text(1, said.envelope.id, from: name)
                try await world.service.take(self.parcel(3, .fromOwner(line), to: bob.address, said))
            }
        }
        // Not even when the owner says that she is in it.
        let all = FromOwner.participants([mallory, bob.address, carol.address])
        #expect(try await world.service.take(parcel(3, .fromOwner(all), to: bob.address)))
        let forged = try text(world, from: carol.address, to: bob.address)
        await #expect(throws: Refusal(.forbidden, "")) {
            let line = FromOwner.text(1, forged.envelope.id, from: carol.address)
            try await world.service.take(self.parcel(4, .fromOwner(line), to: bob.address, forged))
        }
        #expect(try await world.texts(bob.who, id) == [])
    }

    @Test("a text is in the conversation of its session, whichever it names")
    func conversations() async throws {
        let (world, bob, carol) = try await session()
        let other = MessagingService.conversation(of: [bob.address, carol.address])
        let said = try text(world, from: mallory, to: bob.address, in: other.description)
        let line = FromOwner.text(1, said.envelope.id, from: mallory)
        #expect(try await world.service.take(parcel(3, .fromOwner(line), to: bob.address, said)))
        #expect(try await world.item(bob, said.envelope.id)?.message?.conversation.description == "evil")
    }

    @Test("a peer may ask a user for conversations so often, and another peer is not kept from it")
    func requests() async throws {
        let (world, bob, carol) = try await session()
        let burst = Int(world.service.configuration.sessionRequests.burst)
        func ask(_ index: Int, from: Address, _ to: Address) async throws {
            let details = SessionDetails(
                creator: from,
                invited: [to],
                conversation: ConversationID(stored: "evil"),
                subject: nil,
                started: clock.now
            )
            let name = try SessionID("flood-\(index)-\(from.domain ?? "")-\(to == bob.address)")
            let line = SessionLine.request(details)
            let request = SessionParcel(session: name, from: from, to: to, number: 1, line: line)
            try await world.service.take(request)
            // Taken back at once: nothing of it stays open.
            let end = SessionParcel(session: name, from: from, to: to, number: 2, line: .fromOwner(.ended(.cancelled)))
            try await world.service.take(end)
        }
        for index in 1..<burst { try await ask(index, from: mallory, bob.address) }
        await #expect(throws: Refusal(.rateLimited, "")) { try await ask(burst, from: self.mallory, bob.address) }
        try await ask(0, from: mallory, carol.address)
        try await ask(0, from: Address("eve@other.example"), bob.address)
        clock.advance(milliseconds: 1000)
        try await ask(burst, from: mallory, bob.address)
    }

    @Test("changes that wait for an answer have their number")
    func changes() async throws {
        let (world, bob, _) = try await session()
        for index in 0..<Int64(SessionLimits.changes + 20) {
            let change = PendingChange(
                proposal: MediaProposal(
                    id: MessageID(stored: "change-\(index)"),
                    change: .add(.audio, .both, source: nil, device: DeviceID(rawValue: 1)),
                    revision: 1
                ),
                by: mallory,
                medium: MediumID(rawValue: 1),
                awaited: [bob.address],
                until: nil
            )
            #expect(try await world.service.take(parcel(3 + index, .fromOwner(.asked(change)), to: bob.address)))
        }
        #expect(try await world.session(bob, id).pending.count == SessionLimits.changes)
    }
}
