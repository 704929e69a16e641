import MediaSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SessionCore
import Store
import Testing

@testable import Interconnect

/// The media of a conversation as a machine: every input has its actions and its next state.
@Suite("Voice and video in a dialog, as a machine")
struct MediaMachineTests {
    typealias Action = PeerMedia.Action

    static let alice = Address(stored: "sip:alice@a.example")
    static let bob = Address(stored: "sip:bob@b.example")
    static let at = PeerMedia.Moment(now: .uptimeNanoseconds(1_000_000_000), clock: Timestamp(rawValue: 0))
    static let device = MediaLine.End(device: DeviceID(rawValue: 7), generation: .first)
    static let medium = MediumID(rawValue: 1)
    static let text = SDP.MediaDescription(type: "message", port: 9, proto: "TCP/TLS/MSRP", formats: ["*"])

    static func later(_ time: TimeAmount) -> PeerMedia.Moment {
        PeerMedia.Moment(now: at.now + time, clock: Timestamp(rawValue: time.nanoseconds / 1_000_000))
    }

    static func line(
        _ host: String,
        _ direction: MediaDirection = .sendReceive,
        port: Int = 4000
    ) -> SDP.MediaDescription {
        SDP.MediaDescription(
            type: "audio",
            port: port,
            proto: "RTP/AVP",
            formats: ["0"],
            connection: Connection(addressType: "IP4", address: host),
            attributes: [Attribute(direction.rawValue)]
        )
    }

    static func description(_ line: SDP.MediaDescription) -> SessionDescription {
        var line = line
        line.append(Attribute("mid", "x"))
        let origin = Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: "192.0.2.1")
        return SessionDescription(origin: origin, media: [line])
    }

    /// In a conversation that the other side asked for: what the session has is kept here.
    static func guest(hasRelay: Bool = false) -> PeerMedia {
        let board = MediaBoard.kept(SessionCore.MediaDescription())
        return PeerMedia(own: alice, other: bob, name: "theirs", board: board, hasRelay: hasRelay)
    }

    static func proposal() -> MediaProposal {
        let change = MediaChange.add(.audio, .both, source: nil, device: device.device)
        return MediaProposal(id: MessageID(stored: "p"), change: change, revision: 0)
    }

    static let offer = description(line("192.0.2.1"))

    /// The device has offered, and an INVITE of ours is wanted.
    static func waiting() -> PeerMedia {
        var media = guest()
        _ = media.hear(.propose(proposal()), at)
        _ = media.take(.signal(medium, device, .description(.offer, offer, names: ["x": medium])), at)
        return media
    }

    /// What an INVITE of ours says.
    static func invited(_ media: inout PeerMedia, _ lines: [SDP.MediaDescription] = [text]) -> SessionDescription {
        let origin = Origin(sessionID: "2", sessionVersion: "1", addressType: "IP4", address: "192.0.2.9")
        var description = SessionDescription(origin: origin, media: lines)
        media.offer(in: &description)
        return description
    }

    /// Voice runs, at slot 1.
    static func running() -> PeerMedia {
        var media = waiting()
        _ = invited(&media)
        _ = media.take(.answered([text, line("198.51.100.7")]), at)
        return media
    }

    @Test("our user proposes: both ends have places, the device is asked for an offer, and nothing is settled")
    func proposed() throws {
        var media = Self.guest()
        let actions = media.hear(.propose(Self.proposal()), Self.at)
        #expect(actions.last == .signal(Self.medium, Self.device, from: .first, .summon))
        #expect(media.board.media.first?.placements[Self.bob]?.device == media.lines.first?.number)
        #expect(media.board.pending.map(\.proposal.id) == [Self.proposal().id])
        // It is asked again until it offers.
        #expect(media.take(.clock, Self.at).isEmpty)
        #expect(media.deadline == Self.at.now + PeerMedia.sayAgain)
        let again = media.take(.clock, Self.later(PeerMedia.sayAgain))
        #expect(again == [.signal(Self.medium, Self.device, from: .first, .summon)])
        // For a time.
        let end = media.take(.clock, Self.later(PeerMedia.summonTime))
        #expect(end.contains(.say(.fromOwner(.settled(Self.proposal().id, .rejected)))))
        #expect(media.lines.isEmpty && media.board.media.isEmpty)
    }

    @Test("its offer is said in an INVITE, in a slot of its own; their answer is the consent, and goes to the device")
    func agreed() throws {
        var media = Self.waiting()
        #expect(media.phase == .due)
        let description = Self.invited(&media)
        #expect(description.media.map(\.type) == ["message", "audio"])
        #expect(description.media[1].mediaID == nil)
        #expect(media.phase == .ours)
        let actions = media.take(.answered([Self.text, Self.line("198.51.100.7")]), Self.at)
        #expect(actions.first == .say(.fromOwner(.settled(Self.proposal().id, .done))))
        guard case .signal(_, Self.device, _, .description(.answer, let answer, _))? = actions.last else {
            Issue.record("no answer: \(actions)")
            return
        }
        #expect(answer.media.map(\.mediaID) == ["x"])
        #expect(answer.media[0].connection?.address == "198.51.100.7")
        #expect(media.phase == .idle)
        #expect(media.lines.first?.stage == .running)
        // Asked again, it gets the same answer.
        let repeated = media.take(
            .signal(Self.medium, Self.device, .description(.offer, Self.offer, names: ["x": Self.medium])),
            Self.at
        )
        #expect(repeated == [actions.last])
    }

    @Test(
        "what a refusal of the INVITE means",
        arguments: [(491, true), (500, true), (503, true), (488, false), (403, false), (408, false)] as [(UInt16, Bool)]
    )
    func refused(status: UInt16, isLater: Bool) throws {
        var media = Self.waiting()
        _ = Self.invited(&media)
        let actions = media.take(.refused(SIPStatus(rawValue: status) ?? 500, delay: .seconds(1)), Self.at)
        if isLater {
            #expect(actions.isEmpty)
            #expect(media.phase == .blocked(until: Self.at.now + .seconds(1)))
            #expect(media.take(.clock, Self.later(.seconds(1))) == [.invite])
        } else {
            #expect(actions.contains(.say(.fromOwner(.settled(Self.proposal().id, .rejected)))))
            #expect(media.lines.isEmpty)
        }
    }

    @Test("an INVITE that cannot begin: the one under way goes on, and what is due is tried after a while")
    func notBegun() throws {
        var media = Self.waiting()
        var due = media
        #expect(due.take(.notBegun(delay: .seconds(1)), Self.at).isEmpty)
        #expect(due.phase == .blocked(until: Self.at.now + .seconds(1)))
        #expect(due.take(.clock, Self.later(.seconds(1))) == [.invite])
        _ = Self.invited(&media)
        let before = media
        #expect(media.take(.notBegun(delay: .seconds(1)), Self.at).isEmpty)
        #expect(media == before)
        #expect(media.phase == .ours)
    }

    @Test("removed: port 0 is said in its place; a new one takes that place")
    func removed() throws {
        var media = Self.running()
        let removal = MediaProposal(
            id: MessageID(stored: "r"),
            change: .remove(Self.medium),
            revision: media.board.revision
        )
        #expect(media.hear(.propose(removal), Self.at).last == .invite)
        let description = Self.invited(&media, [Self.text, Self.line("192.0.2.1")])
        #expect(description.media.map(\.isRejected) == [false, true])
        #expect(media.take(.answered([Self.text, Self.line("198.51.100.7", port: 0)]), Self.at).isEmpty)
        #expect(media.lines.isEmpty)
        var next = Self.proposal()
        next.id = MessageID(stored: "q")
        next.revision = media.board.revision
        _ = media.hear(.propose(next), Self.at)
        let second = MediumID(rawValue: 2)
        let offer = MediaPayload.description(.offer, Self.offer, names: ["x": second])
        #expect(media.take(.signal(second, Self.device, offer), Self.at) == [.invite])
        let again = Self.invited(&media, description.media)
        #expect(again.media.map(\.isRejected) == [false, false])
        #expect(again.media.count == 2)
    }

    @Test("taken back while it is out: cancelled, and what is accepted all the same is taken out again")
    func takenBack() throws {
        var media = Self.waiting()
        _ = Self.invited(&media)
        let removal = MediaProposal(id: MessageID(stored: "r"), change: .remove(Self.medium), revision: 1)
        #expect(media.hear(.propose(removal), Self.at).last == .cancelInvite)
        var late = media
        #expect(media.take(.refused(487, delay: .zero), Self.at).isEmpty)
        #expect(media.lines.isEmpty)
        #expect(late.take(.answered([Self.text, Self.line("198.51.100.7")]), Self.at) == [.invite])
        let description = Self.invited(&late, [Self.text, Self.line("192.0.2.1")])
        #expect(description.media.map(\.isRejected) == [false, true])
    }

    @Test("they offer: our user is asked, then the device; its answer completes ours")
    func offered() throws {
        var media = Self.guest()
        let theirs = Self.line("198.51.100.7")
        let asked = media.take(.offered([Self.text, theirs], isFirst: false), Self.at)
        guard case .say(.fromOwner(.asked(let change)))? = asked.first else {
            Issue.record("nobody is asked: \(asked)")
            return
        }
        #expect(media.phase == .theirs)
        let pressed = media.hear(.consent(change.proposal.id, on: Self.device.device), Self.at)
        guard case .signal(Self.medium, Self.device, _, .press(let offer, let names))? = pressed.last else {
            Issue.record("the device hears of nothing: \(pressed)")
            return
        }
        #expect(names == ["m1": Self.medium])
        #expect(offer.media.first?.connection?.address == "198.51.100.7")
        let answer = MediaPayload.description(.answer, Self.offer, names: [:])
        #expect(media.take(.signal(Self.medium, Self.device, answer), Self.at) == [.answer])
        let origin = Origin(sessionID: "3", sessionVersion: "1", addressType: "IP4", address: "198.51.100.7")
        let answers = media.answers(to: SessionDescription(origin: origin, media: [Self.text, theirs]))
        #expect(answers.keys.sorted() == [1])
        #expect(answers[1]?.connection?.address == "192.0.2.1")
        #expect(media.take(.settled, Self.at).isEmpty)
        #expect(media.phase == .idle)
    }

    /// They have accepted and offered voice and video, and our user had asked for voice: it is proposed.
    static func accepted() throws -> (media: PeerMedia, owner: SessionCore.MediaDescription, actions: [Action]) {
        var media = PeerMedia(own: alice, other: bob, name: "theirs", board: .told(0, [], []))
        let video = SDP.MediaDescription(type: "video", port: 4002, proto: "RTP/AVP", formats: ["96"])
        let before = media.take(.accepted([line("198.51.100.7"), video], wanted: [.audio]), at)
        #expect(before.isEmpty)
        var owner = SessionCore.MediaDescription()
        _ = try owner.propose(proposal(), by: alice, others: [bob], now: at.clock)
        let actions = media.hear(.asked(try #require(owner.pending.first)), at)
        return (media, owner, actions)
    }

    /// The owner gives both ends their places.
    static func place(_ media: inout PeerMedia, _ owner: inout SessionCore.MediaDescription) throws -> [Action] {
        _ = owner.prepare(proposal().id, by: bob, on: try #require(media.lines.first?.number))
        return media.hear(.media(owner.revision, owner.media, pending: owner.pending), at)
    }

    @Test("they accept and offer: what our user proposed is claimed, and the device's answer is agreed to and answered")
    func claimed() throws {
        var (media, owner, asked) = try Self.accepted()
        let number = try #require(media.lines.first?.number)
        #expect(asked == [.say(.toOwner(.prepare(Self.proposal().id, on: number)))])
        #expect(media.lines.map(\.slot) == [0])
        let pressed = try Self.place(&media, &owner)
        guard case .signal(Self.medium, Self.device, _, .press(let offer, _))? = pressed.last else {
            Issue.record("the device hears of nothing: \(pressed)")
            return
        }
        #expect(offer.media.first?.connection?.address == "198.51.100.7")
        #expect(media.phase == .theirs)
        let answer = MediaPayload.description(.answer, Self.offer, names: [:])
        #expect(
            media.take(.signal(Self.medium, Self.device, answer), Self.at) == [
                .say(.toOwner(.consent(Self.proposal().id, on: number))), .answer,
            ]
        )
        #expect(media.phase == .answering)
        let origin = Origin(sessionID: "3", sessionVersion: "1", addressType: "IP4", address: "198.51.100.7")
        let video = SDP.MediaDescription(type: "video", port: 4002, proto: "RTP/AVP", formats: ["96"])
        let offered = SessionDescription(origin: origin, media: [Self.line("198.51.100.7"), video])
        #expect(media.answers(to: offered).keys.sorted() == [0])
        #expect(media.take(.settled, Self.at).isEmpty)
        #expect(media.phase == .idle)
        #expect(!media.isOver)
    }

    @Test("nobody comes for it, or the device does not answer, in time for the ACK: it is answered without")
    func unclaimed() throws {
        let late = Self.later(PeerMedia.acknowledgementTime)
        var media = PeerMedia(own: Self.alice, other: Self.bob, name: "theirs", board: .told(0, [], []))
        _ = media.take(.accepted([Self.line("198.51.100.7")], wanted: [.audio]), Self.at)
        #expect(media.deadline == Self.at.now + PeerMedia.acknowledgementTime)
        #expect(media.take(.clock, Self.later(PeerMedia.pressTime)).isEmpty)
        #expect(media.take(.clock, late) == [.answer])
        #expect(media.lines.isEmpty)

        var (silent, owner, _) = try Self.accepted()
        _ = try Self.place(&silent, &owner)
        let end = silent.take(.clock, late)
        #expect(end.contains(.say(.toOwner(.consent(Self.proposal().id, on: nil)))))
        #expect(end.last == .answer)
        #expect(silent.lines.isEmpty)
        let origin = Origin(sessionID: "3", sessionVersion: "1", addressType: "IP4", address: "198.51.100.7")
        #expect(silent.answers(to: SessionDescription(origin: origin, media: [Self.line("198.51.100.7")])).isEmpty)
    }

    @Test("asked together with others, what they accept with can be nobody's: answered at once")
    func crowded() throws {
        var media = PeerMedia(own: Self.alice, other: Self.bob, name: "theirs", board: .told(0, [], []))
        let carol = try Address("sip:carol@a.example")
        _ = media.take(.accepted([Self.line("198.51.100.7")], wanted: [.audio]), Self.at)
        let heard = media.hear(.participants([Self.alice, Self.bob, carol]), Self.at)
        #expect(heard + media.take(.clock, Self.later(PeerMedia.pressTime)) == [.answer])
        #expect(media.lines.isEmpty)
    }

    @Test("what they accept with holds nothing of what was wanted: answered at once")
    func unwanted() throws {
        var media = PeerMedia(own: Self.alice, other: Self.bob, name: "theirs", board: .told(0, [], []))
        let none = Self.line("198.51.100.7", port: 0)
        #expect(media.take(.accepted([Self.text, none], wanted: [.audio]), Self.at) == [.answer])
    }

    @Test("nobody agrees in time: answered without it, and who agrees later makes an offer of ours")
    func late() throws {
        var media = Self.guest()
        let asked = media.take(.offered([Self.text, Self.line("198.51.100.7")], isFirst: false), Self.at)
        #expect(media.take(.clock, Self.later(PeerMedia.askTime)) == [.answer])
        let origin = Origin(sessionID: "3", sessionVersion: "1", addressType: "IP4", address: "198.51.100.7")
        let offer = SessionDescription(origin: origin, media: [Self.text, Self.line("198.51.100.7")])
        #expect(media.answers(to: offer).isEmpty)
        _ = media.take(.settled, Self.later(PeerMedia.askTime))
        guard case .say(.fromOwner(.asked(let change)))? = asked.first else { return }
        let agreed = media.hear(.consent(change.proposal.id, on: Self.device.device), Self.later(PeerMedia.askTime))
        #expect(agreed.last == .signal(Self.medium, Self.device, from: .first, .summon))
    }

    @Test(
        "what they say again changes only what is new",
        arguments: [
            ("198.51.100.7", .sendReceive, false, false), ("198.51.100.7", .sendOnly, true, false),
            ("198.51.100.7", .inactive, true, false), ("198.51.100.9", .sendReceive, false, true),
            ("0.0.0.0", .sendReceive, true, false),
        ] as [(String, MediaDirection, Bool, Bool)]
    )
    func again(host: String, direction: MediaDirection, isHeld: Bool, isMoved: Bool) throws {
        var media = Self.running()
        let actions = media.take(.offered([Self.text, Self.line(host, direction)], isFirst: false), Self.at)
        #expect(media.board.media.first?.held == (isHeld ? [Self.bob] : []))
        let isPressed = actions.contains { if case .signal(_, _, _, .press) = $0 { true } else { false } }
        #expect(isPressed == isMoved)
        #expect((actions.last == .answer) == !isMoved)
    }

    @Test("a device that does not answer a change of theirs is described as it was")
    func silent() throws {
        var media = Self.running()
        _ = media.take(.offered([Self.text, Self.line("198.51.100.9")], isFirst: false), Self.at)
        #expect(media.take(.clock, Self.later(PeerMedia.pressTime)) == [.answer])
        let origin = Origin(sessionID: "3", sessionVersion: "1", addressType: "IP4", address: "198.51.100.7")
        let offer = SessionDescription(origin: origin, media: [Self.text, Self.line("198.51.100.9")])
        #expect(media.answers(to: offer)[1]?.connection?.address == "192.0.2.1")
    }

    @Test("moved: the new device is asked while the old one goes on; refused, everything stays")
    func moved() throws {
        var media = Self.running()
        let target = MediaLine.End(device: DeviceID(rawValue: 8), generation: Generation(rawValue: 2))
        let move = MediaProposal(
            id: MessageID(stored: "move"),
            change: .move(Self.medium, to: target.device),
            revision: media.board.revision
        )
        #expect(media.hear(.propose(move), Self.at).last == .signal(Self.medium, target, from: .first, .summon))
        let other = MediaPayload.description(
            .offer,
            Self.description(Self.line("192.0.2.2")),
            names: ["x": Self.medium]
        )
        // What the old device still says does not count.
        #expect(media.take(.signal(Self.medium, Self.device, other), Self.at).isEmpty)
        #expect(media.take(.signal(Self.medium, target, other), Self.at) == [.invite])
        let description = Self.invited(&media, [Self.text, Self.line("192.0.2.1")])
        #expect(description.media[1].connection?.address == "192.0.2.2")
        var refused = media
        _ = media.take(.answered([Self.text, Self.line("198.51.100.7")]), Self.at)
        #expect(media.lines.first?.agreed?.end == target)
        let actions = refused.take(.refused(488, delay: .zero), Self.at)
        guard case .signal(Self.medium, target, _, .refused)? = actions.first, actions.count == 1 else {
            Issue.record("the new device is not told: \(actions)")
            return
        }
        #expect(refused.lines.first?.agreed?.end == Self.device)
        #expect(refused.board.media.count == 1)
        // It is not asked again for the same move.
        #expect(refused.take(.clock, Self.at).isEmpty)
    }

    @Test("what no dialog carries is refused; in a crowd nothing is")
    func notHere() throws {
        var media = Self.guest()
        let file = MediaProposal(
            id: MessageID(stored: "f"),
            change: .add(.storedVideo, .both, source: "x", device: Self.device.device),
            revision: 0
        )
        #expect(media.hear(.propose(file), Self.at).first == .say(.fromOwner(.refused(file.id, .invalidRequest))))
        // As the owner's side of it: three users, of whom one is elsewhere.
        var host = PeerMedia(own: Self.alice, other: Self.bob, name: "theirs", board: .told(0, [], []))
        _ = host.hear(.participants([Self.alice, Self.bob, Address(stored: "sip:carol@a.example")]), Self.at)
        var description = SessionCore.MediaDescription()
        _ = try description.propose(Self.proposal(), by: Self.alice, others: [Self.bob], now: Self.at.clock)
        let change = try #require(description.pending.first)
        let id = Self.proposal().id
        #expect(host.hear(.asked(change), Self.at) == [.say(.toOwner(.consent(id, on: nil)))])
        #expect(host.hear(.asked(change), Self.at).isEmpty)
    }

    @Test("a third one comes to what runs: left alone for a moment, then told and taken out, and it runs on")
    func visited() throws {
        var (media, owner, _) = try Self.accepted()
        _ = try Self.place(&media, &owner)
        let number = try #require(media.lines.first?.number)
        let answer = MediaPayload.description(.answer, Self.offer, names: [:])
        _ = media.take(.signal(Self.medium, Self.device, answer), Self.at)
        let origin = Origin(sessionID: "3", sessionVersion: "1", addressType: "IP4", address: "198.51.100.7")
        _ = media.answers(to: SessionDescription(origin: origin, media: [Self.line("198.51.100.7")]))
        _ = media.take(.settled, Self.at)
        _ = owner.accept(Self.proposal().id, by: Self.bob, on: number)
        let carol = MediaLine.End(
            device: DeviceID(rawValue: 9),
            generation: .first,
            user: Address(stored: "sip:carol@a.example")
        )
        let user = try #require(carol.user)
        let join = MediaProposal(
            id: MessageID(stored: "j"),
            change: .join(Self.medium, on: carol.device),
            revision: owner.revision
        )
        _ = try owner.propose(join, by: user, others: [], now: Self.at.clock)
        _ = media.hear(.participants([Self.alice, Self.bob, user]), Self.at)
        #expect(media.hear(.media(owner.revision, owner.media, pending: owner.pending), Self.at).isEmpty)
        #expect(media.deadline == Self.at.now + PeerMedia.crowdTime)
        #expect(media.take(.clock, Self.later(PeerMedia.crowdTime - .nanoseconds(1))).isEmpty)
        let due = Self.later(PeerMedia.crowdTime)
        let out: [Action] = [
            .signal(Self.medium, carol, from: .first, .refused(MediaPayload.amongTwo)),
            .say(.toOwner(.narrow(Self.medium, with: Self.alice))),
        ]
        #expect(media.take(.clock, due) == out)
        // Once, and again only if nothing comes of it.
        #expect(media.take(.clock, due).isEmpty)
        #expect(media.take(.clock, Self.later(PeerMedia.crowdTime + PeerMedia.crowdTime)) == out)
        _ = owner.narrow(Self.medium, by: Self.bob, with: Self.alice, now: due.clock)
        #expect(media.hear(.media(owner.revision, owner.media, pending: owner.pending), due).isEmpty)
        #expect(media.lines.map(\.stage) == [.running])
        #expect(media.deadline == nil)
    }

    @Test("kept and taken up again: lines where they were, on the devices where they were")
    func kept() throws {
        let media = Self.running()
        let origin = Origin(sessionID: "4", sessionVersion: "1", addressType: "IP4", address: "192.0.2.9")
        let local = SessionDescription(origin: origin, media: [Self.text, Self.line("192.0.2.1")])
        let remote = SessionDescription(origin: origin, media: [Self.text, Self.line("198.51.100.7")])
        var next = Self.guest()
        next.resume(media.kept, local: local, remote: remote)
        #expect(next.board == media.board)
        #expect(next.lines.map(\.agreed?.end) == [Self.device])
        #expect(next.take(.clock, Self.at).isEmpty)
        #expect(next.last == media.last)
    }

    @Test("an offer in the clear, for a device that takes only what is protected: refused in its place, with a reason")
    func unprotected() throws {
        var media = Self.guest()
        let asked = media.take(.offered([Self.text, Self.line("198.51.100.7")], isFirst: false), Self.at)
        guard case .say(.fromOwner(.asked(let change)))? = asked.first else {
            Issue.record("nobody is asked: \(asked)")
            return
        }
        _ = media.hear(.consent(change.proposal.id, on: Self.device.device), Self.at)
        let actions = media.take(.signal(Self.medium, Self.device, .needsProtection), Self.at)
        let isTold = actions.contains { if case .signal(_, Self.device, _, .refused) = $0 { true } else { false } }
        #expect(isTold)
        #expect(actions.last == .answer)
        #expect(media.lines.isEmpty && media.board.media.isEmpty)
    }

    @Test(
        "a browser's offer that is refused: the device is asked once more, for the relay; without one it fails",
        arguments: [true, false]
    )
    func refusedProtection(hasRelay: Bool) throws {
        var protected = Self.line("192.0.2.1")
        protected.proto = "UDP/TLS/RTP/SAVPF"
        let offer = Self.description(protected)
        let refusals: [PeerMedia.Input] = [
            .answered([
                Self.text,
                {
                    var line = Self.line("198.51.100.7")
                    line.port = 0
                    return line
                }(),
            ]),
            .refused(488, delay: .seconds(1)),
        ]
        for refusal in refusals {
            var media = Self.guest(hasRelay: hasRelay)
            _ = media.hear(.propose(Self.proposal()), Self.at)
            _ = media.take(
                .signal(Self.medium, Self.device, .description(.offer, offer, names: ["x": Self.medium])),
                Self.at
            )
            _ = Self.invited(&media)
            #expect(!media.isPlainThere)
            let actions = media.take(refusal, Self.at)
            guard hasRelay else {
                #expect(actions.contains(.say(.fromOwner(.settled(Self.proposal().id, .rejected)))))
                continue
            }
            #expect(actions == [.signal(Self.medium, Self.device, from: .first, .summon)])
            #expect(media.isPlainThere)
            #expect(media.phase == .idle)
            // What the relay makes of its next offer is said, and whoever refuses that wants nothing.
            let made = MediaPayload.description(.offer, Self.offer, names: ["x": Self.medium])
            #expect(media.take(.signal(Self.medium, Self.device, made), Self.at) == [.invite])
            _ = Self.invited(&media)
            let end = media.take(.refused(488, delay: .seconds(1)), Self.at)
            #expect(end.contains(.say(.fromOwner(.settled(Self.proposal().id, .rejected)))))
        }
    }
}
