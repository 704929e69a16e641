import MessagingCore
import Testing

@testable import SessionCore

@Suite("Media: proposals, consent, moves")
struct MediaTests {
    private typealias Action = MediaDescription.Action

    private static let alice = Address(stored: "sip:alice@a.example")
    private static let bob = Address(stored: "sip:bob@b.example")
    private static let carol = Address(stored: "sip:carol@c.example")
    private static let laptop = DeviceID(rawValue: 1)
    private static let mobile = DeviceID(rawValue: 2)
    private static let now = Timestamp(rawValue: 0)
    private static let consent = Timestamp(rawValue: SessionLimits.consentMilliseconds)
    private static let handOver = Timestamp(rawValue: SessionLimits.handOverMilliseconds)
    private static let first = MediumID(rawValue: 1)

    private static func proposal(_ id: String, _ change: MediaChange, _ revision: Revision) -> MediaProposal {
        MediaProposal(id: MessageID(stored: id), change: change, revision: revision)
    }

    private static func audio(_ id: String, _ revision: Revision = 0) -> MediaProposal {
        proposal(id, .add(.audio, .both, source: nil, device: laptop), revision)
    }

    /// Bob proposed audio from his laptop; Alice is asked.
    private static func asked() throws -> MediaDescription {
        var media = MediaDescription()
        _ = try media.propose(audio("p"), by: bob, others: [alice], now: now)
        return media
    }

    /// Audio runs between the laptops, at revision 1.
    private static func running() throws -> MediaDescription {
        var media = try asked()
        _ = media.accept(MessageID(stored: "p"), by: alice, on: laptop)
        return media
    }

    @Test("added: asked first, agreed with a device, then part of the description")
    func add() throws {
        var media = MediaDescription()
        let actions = try media.propose(Self.audio("p"), by: Self.bob, others: [Self.alice], now: Self.now)
        let change = try #require(media.pending.first)
        #expect(actions == [.ask([Self.alice], change)])
        #expect(change.until == Self.consent)
        #expect(media.revision == 0)
        #expect(media.media.isEmpty)

        #expect(
            media.accept(change.proposal.id, by: Self.alice, on: Self.mobile) == [
                .settle(change.proposal.id, .done), .publish,
            ]
        )
        #expect(media.revision == 1)
        #expect(media[Self.first]?.placements[Self.bob]?.device == Self.laptop)
        #expect(media[Self.first]?.placements[Self.alice]?.device == Self.mobile)
        #expect(media[Self.first]?.flows == true)
        #expect(media.pending.isEmpty)
    }

    @Test("rejected, expired or taken back: nothing has happened")
    func noTrace() throws {
        let id = MessageID(stored: "p")
        let before = MediaDescription()
        var rejected = try Self.asked()
        #expect(rejected.reject(id, by: Self.alice) == [.settle(id, .rejected)])
        var expired = try Self.asked()
        #expect(expired.clock(Timestamp(rawValue: Self.consent.rawValue - 1)) == [])
        #expect(expired.clock(Self.consent) == [.settle(id, .expired)])
        var taken = try Self.asked()
        #expect(taken.withdraw(id, by: Self.bob, .superseded, now: Self.now) == [.settle(id, .superseded)])
        for media in [rejected, expired, taken] {
            #expect(media.revision == before.revision)
            #expect(media.media == before.media)
            #expect(media.pending.isEmpty)
            #expect(media.deadline == nil)
        }
    }

    @Test("an answer by who was not asked, or for what is not pending, does nothing")
    func strangers() throws {
        var media = try Self.asked()
        let before = media
        #expect(media.accept(MessageID(stored: "p"), by: Self.carol, on: Self.laptop) == [])
        #expect(media.accept(MessageID(stored: "p"), by: Self.bob, on: Self.laptop) == [])
        #expect(media.accept(MessageID(stored: "q"), by: Self.alice, on: Self.laptop) == [])
        #expect(media.reject(MessageID(stored: "p"), by: Self.carol) == [])
        #expect(media.connected(MessageID(stored: "p"), by: Self.bob, now: Self.now) == [])
        #expect(media == before)
    }

    @Test("both want the same at once: the first stays, and the second is its acceptance")
    func sameAtOnce() throws {
        var media = try Self.asked()
        let other = Self.proposal("q", .add(.audio, .both, source: nil, device: Self.mobile), 0)
        let actions = try media.propose(other, by: Self.alice, others: [Self.bob], now: Self.now)
        #expect(
            actions == [
                .settle(other.id, .superseded), .settle(MessageID(stored: "p"), .done), .publish,
            ]
        )
        #expect(media.media.count == 1)
        #expect(media[Self.first]?.placements[Self.alice]?.device == Self.mobile)
    }

    @Test("a proposal made on an old description is refused; the same one again is the same")
    func stale() throws {
        var media = try Self.running()
        #expect(throws: Refusal(.stale, "")) {
            try media.propose(Self.audio("q", 0), by: Self.bob, others: [Self.alice], now: Self.now)
        }
        var pending = try Self.asked()
        let before = pending
        #expect(try pending.propose(Self.audio("p"), by: Self.bob, others: [Self.alice], now: Self.now) == [])
        #expect(pending == before)
    }

    @Test("hold, direction and removal need nobody's consent")
    func alone() throws {
        var media = try Self.running()
        let hold = Self.proposal("h", .hold(Self.first), 1)
        #expect(
            try media.propose(hold, by: Self.alice, others: [Self.bob], now: Self.now) == [
                .settle(hold.id, .done), .publish,
            ]
        )
        #expect(media[Self.first]?.flows == false)
        // Who did not hold it cannot resume it.
        let resume = Self.proposal("r", .resume(Self.first), 2)
        #expect(
            try media.propose(resume, by: Self.bob, others: [Self.alice], now: Self.now) == [.settle(resume.id, .done)]
        )
        #expect(media.revision == 2)
        _ = try media.propose(
            Self.proposal("s", .resume(Self.first), 2),
            by: Self.alice,
            others: [Self.bob],
            now: Self.now
        )
        #expect(media[Self.first]?.flows == true)
        let direct = Self.proposal("d", .direct(Self.first, .from(Self.bob)), 3)
        _ = try media.propose(direct, by: Self.bob, others: [Self.alice], now: Self.now)
        #expect(media[Self.first]?.direction == .from(Self.bob))
        _ = try media.propose(
            Self.proposal("x", .remove(Self.first), 4),
            by: Self.alice,
            others: [Self.bob],
            now: Self.now
        )
        #expect(media.media.isEmpty)
        #expect(media.revision == 5)
        #expect(throws: Refusal(.notFound, "")) {
            try media.propose(Self.proposal("y", .hold(Self.first), 5), by: Self.bob, others: [], now: Self.now)
        }
    }

    @Test("moved: the old placement runs until the new path does; then a new generation holds it")
    func move() throws {
        var media = try Self.running()
        let move = Self.proposal("m", .move(Self.first, to: Self.mobile), 1)
        #expect(try media.propose(move, by: Self.bob, others: [Self.alice], now: Self.now) == [.publish])
        #expect(media.mayAct(Self.bob, Self.laptop, .first, on: Self.first))
        #expect(media.connected(move.id, by: Self.bob, now: Self.now) == [.settle(move.id, .done), .publish])
        #expect(media[Self.first]?.placements[Self.bob] == Placement(device: Self.mobile, generation: .first.next))
        #expect(!media.mayAct(Self.bob, Self.laptop, .first, on: Self.first))
        #expect(media.mayAct(Self.bob, Self.mobile, .first.next, on: Self.first))
    }

    @Test("a move that fails, or takes too long, leaves the medium where it was")
    func moveFails() throws {
        for isLate in [false, true] {
            var media = try Self.running()
            let before = media.media
            let move = Self.proposal("m", .move(Self.first, to: Self.mobile), 1)
            _ = try media.propose(move, by: Self.bob, others: [Self.alice], now: Self.now)
            let actions =
                isLate
                ? media.clock(Self.handOver) : media.withdraw(move.id, by: Self.bob, .failed, now: Self.now)
            #expect(actions == [.settle(move.id, .failed)])
            #expect(media.media == before)
            #expect(media.revision == 1)
        }
    }

    @Test("two move the same medium at once: the second waits for the first")
    func twoMoves() throws {
        var media = try Self.running()
        let bobs = Self.proposal("b", .move(Self.first, to: Self.mobile), 1)
        let alices = Self.proposal("a", .move(Self.first, to: Self.mobile), 1)
        _ = try media.propose(bobs, by: Self.bob, others: [Self.alice], now: Self.now)
        _ = try media.propose(alices, by: Self.alice, others: [Self.bob], now: Self.now)
        #expect(media.pending.map(\.until) == [Self.handOver, nil])
        #expect(media.connected(alices.id, by: Self.alice, now: Self.now) == [], "not its turn")
        #expect(throws: Refusal(.conflict, "")) {
            try media.propose(
                Self.proposal("c", .move(Self.first, to: Self.laptop), 1),
                by: Self.bob,
                others: [Self.alice],
                now: Self.now
            )
        }
        let later = Timestamp(rawValue: 5)
        _ = media.connected(bobs.id, by: Self.bob, now: later)
        #expect(media.pending.map(\.until) == [later.advanced(by: SessionLimits.handOverMilliseconds)])
        #expect(media.connected(alices.id, by: Self.alice, now: later) == [.settle(alices.id, .done), .publish])
    }

    @Test("removed while it moves: the move is told that it came to nothing")
    func superseded() throws {
        var media = try Self.running()
        let move = Self.proposal("m", .move(Self.first, to: Self.mobile), 1)
        _ = try media.propose(move, by: Self.bob, others: [Self.alice], now: Self.now)
        let remove = Self.proposal("x", .remove(Self.first), 1)
        #expect(
            try media.propose(remove, by: Self.alice, others: [Self.bob], now: Self.now) == [
                .settle(move.id, .superseded), .settle(remove.id, .done), .publish,
            ]
        )
        #expect(media.pending.isEmpty)
    }

    @Test("among three: each answers, the first who agrees starts it, all who refuse end it")
    func three() throws {
        let id = MessageID(stored: "p")
        var media = MediaDescription()
        _ = try media.propose(Self.audio("p"), by: Self.bob, others: [Self.alice, Self.carol], now: Self.now)
        var refused = media
        #expect(media.accept(id, by: Self.alice, on: Self.laptop) == [.publish])
        #expect(media.reject(id, by: Self.carol) == [.settle(id, .done)])
        #expect(media[Self.first]?.placements.count == 2)
        #expect(refused.reject(id, by: Self.alice) == [])
        #expect(refused.reject(id, by: Self.carol) == [.settle(id, .rejected)])
        #expect(refused.revision == 0)
    }

    /// Audio runs among Alice, Bob and Carol, at revision 2.
    private static func amongThree() throws -> MediaDescription {
        var media = MediaDescription()
        _ = try media.propose(audio("p"), by: bob, others: [alice, carol], now: now)
        _ = media.accept(MessageID(stored: "p"), by: alice, on: laptop)
        _ = media.accept(MessageID(stored: "p"), by: carol, on: laptop)
        return media
    }

    @Test("who comes later takes part in what runs; who goes out of it leaves it to the others, while there are two")
    func joinAndPart() throws {
        var media = try Self.running()
        let join = Self.proposal("j", .join(Self.first, on: Self.mobile), 1)
        #expect(
            try media.propose(join, by: Self.carol, others: [Self.alice, Self.bob], now: Self.now) == [
                .settle(join.id, .done), .publish,
            ]
        )
        #expect(media.revision == 2)
        #expect(media[Self.first]?.placements[Self.carol] == Placement(device: Self.mobile, generation: .first))
        #expect(throws: Refusal(.conflict, "")) {
            let again = Self.proposal("k", .join(Self.first, on: Self.laptop), 2)
            return try media.propose(again, by: Self.carol, others: [], now: Self.now)
        }
        // Out, and in again: what the earlier part still says is refused.
        let part = Self.proposal("l", .part(Self.first), 2)
        #expect(
            try media.propose(part, by: Self.carol, others: [], now: Self.now) == [
                .settle(part.id, .done), .publish,
            ]
        )
        #expect(media[Self.first]?.placements.count == 2)
        #expect(throws: Refusal(.conflict, "")) {
            let again = Self.proposal("m", .part(Self.first), 3)
            return try media.propose(again, by: Self.carol, others: [], now: Self.now)
        }
        let back = Self.proposal("n", .join(Self.first, on: Self.mobile), 3)
        _ = try media.propose(back, by: Self.carol, others: [], now: Self.now)
        #expect(media[Self.first]?.placements[Self.carol]?.generation == Generation.first.next)
        for (id, user, revision) in [("o", Self.bob, Revision(4)), ("q", Self.alice, 5)] {
            _ = try media.propose(Self.proposal(id, .part(Self.first), revision), by: user, others: [], now: Self.now)
        }
        #expect(media.media.isEmpty)
    }

    @Test("joining is the answer of who was asked; a place is kept for who has not answered; no more than four")
    func joinBounds() throws {
        let dave = Address(stored: "sip:dave@d.example")
        let erin = Address(stored: "sip:erin@e.example")
        var media = MediaDescription()
        let everybody: Set = [Self.alice, Self.carol, dave]
        _ = try media.propose(Self.audio("p"), by: Self.bob, others: everybody, now: Self.now)
        _ = media.accept(MessageID(stored: "p"), by: Self.alice, on: Self.laptop)
        _ = media.accept(MessageID(stored: "p"), by: dave, on: Self.laptop)
        let late = Self.proposal("j", .join(Self.first, on: Self.laptop), 2)
        let before = media
        #expect(throws: Refusal(.tooMany, "")) {
            try media.propose(late, by: erin, others: everybody, now: Self.now)
        }
        #expect(media == before)
        #expect(
            try media.propose(late, by: Self.carol, others: everybody, now: Self.now) == [
                .settle(late.id, .superseded), .settle(MessageID(stored: "p"), .done), .publish,
            ]
        )
        #expect(media[Self.first]?.placements.count == SessionLimits.meshParticipants)
        #expect(media.pending.isEmpty)
        #expect(throws: Refusal(.tooMany, "")) {
            let again = Self.proposal("k", .join(Self.first, on: Self.laptop), 3)
            return try media.propose(again, by: erin, others: everybody, now: Self.now)
        }
    }

    @Test("who cannot make it run goes out of it; between two it ends")
    func failed() throws {
        var media = try Self.amongThree()
        let move = Self.proposal("m", .move(Self.first, to: Self.mobile), 2)
        _ = try media.propose(move, by: Self.carol, others: [], now: Self.now)
        #expect(
            media.fail(Self.first, by: Self.carol, now: Self.now) == [.settle(move.id, .superseded), .publish]
        )
        #expect(media[Self.first]?.placements.keys.sorted() == [Self.alice, Self.bob])
        #expect(media.fail(Self.first, by: Self.carol, now: Self.now) == [])
        #expect(media.fail(Self.first, by: Self.bob, now: Self.now) == [.publish])
        #expect(media.media.isEmpty)
        #expect(media.revision == 4)
    }

    @Test("who can have it with one other only keeps it with that one: whoever else is in it goes out of it")
    func narrow() throws {
        var media = try Self.amongThree()
        let (before, revision) = (media, media.revision)
        // Not by or with somebody who is not in it, nor alone.
        #expect(media.narrow(Self.first, by: Self.alice, with: Self.alice, now: Self.now) == [])
        #expect(media.narrow(Self.first, by: Address(stored: "sip:x@x"), with: Self.bob, now: Self.now) == [])
        #expect(media.narrow(MediumID(rawValue: 9), by: Self.alice, with: Self.bob, now: Self.now) == [])
        #expect(media == before)
        let move = Self.proposal("m", .move(Self.first, to: Self.mobile), revision)
        _ = try media.propose(move, by: Self.carol, others: [], now: Self.now)
        #expect(
            media.narrow(Self.first, by: Self.alice, with: Self.bob, now: Self.now)
                == [.settle(move.id, .superseded), .publish]
        )
        #expect(media[Self.first]?.placements == before[Self.first]?.placements.filter { $0.key != Self.carol })
        #expect(media.revision == revision + 1)
        #expect(media.narrow(Self.first, by: Self.alice, with: Self.bob, now: Self.now) == [])
        // Whoever is out may come again, under the next generation.
        let again = Self.proposal("j", .join(Self.first, on: Self.laptop), revision + 1)
        _ = try media.propose(again, by: Self.carol, others: [], now: Self.now)
        #expect(media[Self.first]?.placements[Self.carol]?.generation == Generation.first.next)
    }

    @Test("who leaves takes the own part along; a medium of one alone ends")
    func leave() throws {
        var media = try Self.running()
        #expect(media.leave(Self.alice, now: Self.now) == [.publish])
        #expect(media.media.isEmpty)
        var asked = try Self.asked()
        #expect(asked.leave(Self.bob, now: Self.now) == [.settle(MessageID(stored: "p"), .superseded)])
        var awaited = try Self.asked()
        #expect(awaited.leave(Self.alice, now: Self.now) == [.settle(MessageID(stored: "p"), .rejected)])
    }

    @Test("refused: text as a medium, a source where none belongs or none where one does, too many")
    func refused() throws {
        var media = MediaDescription()
        let wrong: [MediaChange] = [
            .add(.text, .both, source: nil, device: Self.laptop),
            .add(.audio, .both, source: "file", device: Self.laptop),
            .add(.storedVideo, .both, source: nil, device: Self.laptop),
        ]
        for change in wrong {
            #expect(throws: Refusal(.invalidRequest, "")) {
                try media.propose(Self.proposal("p", change, 0), by: Self.bob, others: [Self.alice], now: Self.now)
            }
        }
        for number in 0..<SessionLimits.media {
            let file = MediaChange.add(.file, .both, source: "f", device: Self.laptop)
            _ = try media.propose(
                Self.proposal("p\(number)", file, 0),
                by: Self.bob,
                others: [Self.alice],
                now: Self.now
            )
        }
        #expect(throws: Refusal(.tooMany, "")) {
            try media.propose(Self.audio("q"), by: Self.bob, others: [Self.alice], now: Self.now)
        }
        let crowd = Set((0..<SessionLimits.meshParticipants).map { Address(stored: "sip:\($0)@a.example") })
        var empty = MediaDescription()
        #expect(throws: Refusal(.tooMany, "")) {
            try empty.propose(Self.audio("q"), by: Self.bob, others: crowd, now: Self.now)
        }
    }
}

@Suite("Media prepared for whoever is asked by a description")
struct PreparedMediaTests {
    private static let alice = Address(stored: "sip:alice@a.example")
    private static let bob = Address(stored: "sip:bob@b.example")
    private static let now = Timestamp(rawValue: 0)
    private static let id = MessageID(stored: "p")
    private static let device = DeviceID(rawValue: 7)

    /// Alice proposed audio, and where Bob will have it is known.
    private static func prepared() throws -> MediaDescription {
        var media = MediaDescription()
        let change = MediaChange.add(.audio, .both, source: nil, device: DeviceID(rawValue: 1))
        _ = try media.propose(MediaProposal(id: id, change: change, revision: 0), by: alice, others: [bob], now: now)
        #expect(media.prepare(id, by: bob, on: device) == [.publish])
        return media
    }

    @Test("it has its places, and the proposal waits on; prepared twice it is the same")
    func places() throws {
        var media = try Self.prepared()
        #expect(media.media.first?.placements[Self.bob] == Placement(device: Self.device, generation: .first))
        #expect(media.pending.first?.awaited == [Self.bob])
        #expect(media.revision == 1)
        #expect(media.prepare(Self.id, by: Self.bob, on: DeviceID(rawValue: 8)).isEmpty)
        #expect(media.prepare(Self.id, by: Self.alice, on: Self.device).isEmpty)
    }

    @Test("agreed to: done, where it is")
    func accepted() throws {
        var media = try Self.prepared()
        #expect(media.accept(Self.id, by: Self.bob, on: Self.device) == [.settle(Self.id, .done), .publish])
        #expect(media.media.count == 1)
        #expect(media.pending.isEmpty)
    }

    @Test(
        "not agreed to, too late, taken back: nothing is left of it",
        arguments: ["rejected", "expired", "withdrawn"]
    )
    func refused(how: String) throws {
        var media = try Self.prepared()
        let actions =
            switch how {
            case "rejected": media.reject(Self.id, by: Self.bob)
            case "expired": media.clock(Timestamp(rawValue: SessionLimits.consentMilliseconds))
            default: media.withdraw(Self.id, by: Self.alice, .superseded, now: Self.now)
            }
        let outcome: ChangeOutcome =
            switch how {
            case "rejected": .rejected
            case "expired": .expired
            default: .superseded
            }
        #expect(actions == [.settle(Self.id, outcome), .publish])
        #expect(media.media.isEmpty)
        #expect(media.pending.isEmpty)
        #expect(media.revision == 2)
    }

    @Test("removed while it waits: given up")
    func removed() throws {
        var media = try Self.prepared()
        let removal = MediaProposal(
            id: MessageID(stored: "r"),
            change: .remove(MediumID(rawValue: 1)),
            revision: 1
        )
        let actions = try media.propose(removal, by: Self.alice, others: [Self.bob], now: Self.now)
        #expect(actions == [.settle(Self.id, .superseded), .settle(removal.id, .done), .publish])
        #expect(media.media.isEmpty)
    }
}
