package import MSRP
package import SDP
import SIP

/// What both sides of a conversation have described to each other: offers, answers, and the path of the texts that comes
/// of them (RFC 3264, RFC 6135).
///
/// Pure; what this end is called is passed in.
package struct DialogDescription {
    /// How this end makes names for itself.
    package struct Ends: Sendable {
        /// A new end.
        package var make: @Sendable (SetupRole) throws -> (local: MSRPURI, medium: MediaAcceptance)
        /// An end that there is, described again.
        package var again: @Sendable (MSRPURI, SetupRole) -> MediaAcceptance
        package var reach: TextReach

        package init(
            _ reach: TextReach = .provider,
            make: @escaping @Sendable (SetupRole) throws -> (local: MSRPURI, medium: MediaAcceptance),
            again: @escaping @Sendable (MSRPURI, SetupRole) -> MediaAcceptance
        ) {
            self.reach = reach
            self.make = make
            self.again = again
        }
    }

    /// Where texts flow.
    package struct Path: Equatable {
        package let local: MSRPURI
        package let other: ConversationPath
    }

    /// Why an offer or an answer cannot be taken.
    package enum Problem: Error, Equatable {
        /// No medium in it that texts could flow on, or no description at all (488).
        case notAcceptable
        /// Our own is open (491), or theirs is (500).
        case pending
    }

    private enum Offered {
        case texts(MSRPURI)
        case call
    }

    private struct Opened {
        let offer: SessionDescription
        /// Where texts are to flow; nil in a call that has none.
        let text: Text?
        /// They say what they said last.
        let repeated: SessionDescription?
    }

    private typealias Text = (slot: Int, role: SetupRole, other: ConversationPath)

    /// More media in an offer are not acceptable: slots are never given up.
    static let slotsMaximum = 64

    private let ends: Ends
    private let origin: Origin
    private var exchange = OfferAnswerExchange()
    private var gate = ModificationGate()
    /// What our open offer calls this end of the texts, if it has any.
    private var offered: Offered?
    /// Their offer, until it is answered.
    private var opened: Opened?
    package private(set) var path: Path?
    /// Whether the other side wants no texts for now.
    package private(set) var isHeld = false

    /// Whether an INVITE of ours is open.
    package var isOurs: Bool { gate.pending == .localInvite }

    package init(_ ends: Ends, origin: Origin) {
        self.ends = ends
        self.origin = origin
    }

    /// The same end, with nothing agreed.
    package var renewed: DialogDescription { DialogDescription(ends, origin: origin) }

    /// Begins anew, with the next dialog.
    package mutating func renew() { self = renewed }

    // MARK: After a restart

    /// What was agreed, as text.
    package struct Kept: Codable, Hashable {
        let local: String
        let remote: String
        let isLocalOffer: Bool
    }

    /// What has to be kept; nil while nothing is agreed.
    package var kept: Kept? {
        exchange.agreement.map { Kept(local: $0.local.text, remote: $0.remote.text, isLocalOffer: $0.isLocalOffer) }
    }

    /// Takes up what was agreed: the next offer follows it. There is no path any more.
    package mutating func resume(_ kept: Kept) throws {
        let local = try SessionDescription(parsing: Array(kept.local.utf8))
        let remote = try SessionDescription(parsing: Array(kept.remote.utf8))
        if kept.isLocalOffer {
            _ = try exchange.sendOffer(local)
            _ = try exchange.receiveAnswer(remote)
        } else {
            _ = try exchange.receiveOffer(remote)
            _ = try exchange.sendAnswer(local)
        }
    }

    // MARK: Our offers

    /// Opens an INVITE of ours; nil while one is open, whosever it is.
    /// - Parameters:
    ///   - keeping: the path is to stay as it is.
    ///   - beside: puts other media into the offer.
    package mutating func invite(
        _ setup: SetupRole,
        keeping: Bool,
        beside: (inout SessionDescription) -> Void = { _ in }
    ) throws -> [UInt8]? {
        guard gate.beginInvite() else { return nil }
        do {
            return try offer(setup, keeping: keeping, beside)
        } catch {
            gate.finished(succeeded: false)
            throw error
        }
    }

    private mutating func offer(
        _ setup: SetupRole,
        keeping: Bool,
        _ beside: (inout SessionDescription) -> Void
    ) throws -> [UInt8] {
        if let agreement = exchange.agreement, isCall {
            var description = agreement.local
            beside(&description)
            let next = try exchange.sendOffer(description)
            offered = .call
            return next.bytes
        }
        let end: (local: MSRPURI, medium: MediaAcceptance)
        if keeping, let path {
            end = (path.local, ends.again(path.local, ends.reach.connects ? .activePassive : .passive))
        } else {
            end = try ends.make(setup)
        }
        let medium = MediaDescription(
            type: "message",
            port: end.medium.port,
            proto: ends.reach.proto,
            formats: ["*"],
            connection: end.medium.connection,
            attributes: end.medium.attributes + [Attribute(MediaDirection.sendReceive.rawValue)]
        )
        var description: SessionDescription
        if let agreement = exchange.agreement {
            description = agreement.local
            if let slot = agreement.slot { description.media[slot] = medium } else { description.add(medium) }
        } else {
            description = SessionDescription(origin: origin, media: [medium])
        }
        beside(&description)
        let next = try exchange.sendOffer(description)
        offered = .texts(end.local)
        return next.bytes
    }

    /// Our INVITE was answered.
    /// - Returns: whether texts take another path from now on.
    /// - Throws: ``Problem/notAcceptable``.
    package mutating func accepted(_ answer: [UInt8]) throws -> Bool {
        gate.finished(succeeded: true)
        return try answered(answer)
    }

    private mutating func answered(_ answer: [UInt8]) throws -> Bool {
        guard let offered = offered.take() else { throw Problem.notAcceptable }
        do {
            let agreement = try exchange.receiveAnswer(try SessionDescription(parsing: answer))
            guard case .texts(let local) = offered else { return false }
            return try settle(agreement, local)
        } catch {
            try? exchange.withdraw()
            throw Problem.notAcceptable
        }
    }

    /// Our INVITE was refused: what was agreed before still holds.
    package mutating func refused() {
        gate.finished(succeeded: false)
        offered = nil
        try? exchange.withdraw()
    }

    /// Opens an INVITE of ours without an offer: theirs comes with the 2xx.
    /// - Returns: false while one is open, whosever it is.
    package mutating func inviteToOffer() -> Bool { gate.beginInvite() }

    // MARK: Their offers

    /// Whether texts could flow as an offer has it; or voice or video, in one that has no texts at all.
    package static func isAcceptable(_ offer: [UInt8]) -> Bool {
        (try? SessionDescription(parsing: offer)).map { choice($0, .provider) != nil || isCall($0) } ?? false
    }

    /// Whether texts can flow as an offer has it.
    package static func hasTexts(_ offer: SessionDescription, _ reach: TextReach) -> Bool {
        choice(offer, reach) != nil
    }

    private static func isCall(_ offer: SessionDescription) -> Bool {
        let media = offer.media.filter { !$0.isRejected }
        return media.contains { ["audio", "video"].contains($0.type) } && !media.contains { $0.isMSRP && !$0.isFile }
    }

    /// An INVITE of theirs, with an offer: it is open until ``answer(beside:)``, or ``withdraw()``.
    /// - Parameter isAnswer: it came with the 2xx to one of ours.
    /// - Returns: its media, each standing for itself.
    /// - Throws: ``Problem``.
    package mutating func open(_ offer: [UInt8], isAnswer: Bool = false) throws -> [MediaDescription] {
        guard isAnswer ? isOurs : gate.receivedInvite() == .accept else { throw Problem.pending }
        guard let offer = try? SessionDescription(parsing: offer), offer.media.count <= Self.slotsMaximum,
            case let text = Self.choice(offer, ends.reach),
            // Texts that there are do not go away; a call without them may have media alone.
            text != nil || isCall || exchange.agreement == nil && Self.isCall(offer),
            let step = try? exchange.receiveOffer(offer)
        else {
            gate.finished(succeeded: false)
            throw Problem.notAcceptable
        }
        var repeated: SessionDescription?
        if case .repeatAnswer(let answer) = step { repeated = answer }
        opened = Opened(offer: offer, text: text, repeated: repeated)
        return offer.withSelfContainedMedia.media
    }

    /// Whether a call was agreed on that has no texts.
    package var isCall: Bool { exchange.agreement.map { $0.slot == nil } ?? false }

    /// Answers it.
    /// - Parameter beside: how media beside the texts are taken, by slot; the rest is refused in its place.
    /// - Returns: the answer, and whether texts take another path from now on.
    /// - Throws: ``Problem/notAcceptable``.
    package mutating func answer(
        beside: (SessionDescription) -> [Int: MediaAcceptance] = { _ in [:] }
    ) throws -> (answer: [UInt8], isMoved: Bool) {
        guard let open = opened.take() else { throw Problem.notAcceptable }
        defer { gate.finished(succeeded: true) }
        do {
            let taken = beside(open.offer)
            if let repeated = open.repeated, taken.isEmpty {
                return (try exchange.sendAnswer(repeated).local.bytes, false)
            }
            var decisions = open.offer.media.indices.map { taken[$0] }
            guard let text = open.text else {
                // Nothing of a call is taken: it is refused, not answered with nothing.
                guard isCall || !taken.isEmpty else { throw Problem.notAcceptable }
                let answer = try SessionDescription(answering: open.offer, origin: origin, decisions: decisions)
                return (try exchange.sendAnswer(answer).local.bytes, false)
            }
            let end: (local: MSRPURI, medium: MediaAcceptance)
            if let path, path.other.path == text.other.path {
                end = (path.local, ends.again(path.local, text.role))
            } else {
                end = try ends.make(text.role)
            }
            decisions[text.slot] = end.medium
            let answer = try SessionDescription(answering: open.offer, origin: origin, decisions: decisions)
            let agreement = try exchange.sendAnswer(answer)
            return (agreement.local.bytes, try settle(agreement, end.local))
        } catch {
            try? exchange.withdraw()
            throw Problem.notAcceptable
        }
    }

    /// The answer that takes nothing of what they offer; nil when that cannot be read.
    package static func refusal(of offer: [UInt8]) -> [UInt8]? {
        guard let offer = try? SessionDescription(parsing: offer) else { return nil }
        let origin = Origin(sessionID: "1", sessionVersion: "1", addressType: "IP4", address: "0.0.0.0")
        let nothing = [MediaAcceptance?](repeating: nil, count: offer.media.count)
        return try? SessionDescription(answering: offer, origin: origin, decisions: nothing).bytes
    }

    /// Their INVITE was taken back.
    package mutating func withdraw() {
        guard opened.take() != nil else { return }
        gate.finished(succeeded: false)
        try? exchange.withdraw()
    }

    /// What the other side says of its media now, each standing for itself.
    package var remote: [MediaDescription] { exchange.agreement?.remote.withSelfContainedMedia.media ?? [] }

    /// What both sides say.
    package var agreed: (local: SessionDescription, remote: SessionDescription)? {
        exchange.agreement.map { ($0.local, $0.remote) }
    }

    /// An INVITE of theirs without an offer: ours goes into the 2xx, and the answer comes with the ACK.
    package mutating func invitedToOffer(
        _ setup: SetupRole = .activePassive,
        beside: (inout SessionDescription) -> Void = { _ in }
    ) throws -> [UInt8] {
        guard gate.receivedInvite() == .accept else { throw Problem.pending }
        do {
            return try offer(setup, keeping: true, beside)
        } catch {
            gate.finished(succeeded: false)
            throw Problem.notAcceptable
        }
    }

    /// Whether the answer to our offer in such a 2xx is awaited.
    package var isAnswerOwed: Bool { offered != nil && gate.pending == .remoteInvite }

    /// The ACK to such a 2xx came; nothing of another one is taken.
    /// - Returns: whether texts take another path from now on.
    package mutating func acknowledged(_ answer: [UInt8]) throws -> Bool {
        guard isAnswerOwed else { return false }
        gate.finished(succeeded: true)
        return try answered(answer)
    }

    // MARK: What comes of them

    private mutating func settle(_ agreement: Agreement, _ local: MSRPURI) throws -> Bool {
        guard let slot = agreement.slot,
            let other = ends.reach.path(
                agreement.remote,
                slot: slot,
                connects: agreement.media[slot].isLocalConnecting ?? agreement.isLocalOffer
            )
        else { throw Problem.notAcceptable }
        isHeld = !agreement.media[slot].direction.sends
        let before = path
        guard before?.local != local || before?.other.path != other.path else { return false }
        path = Path(local: local, other: other)
        return true
    }

    /// The medium of an offer that texts can flow on, and who connects.
    private static func choice(
        _ offer: SessionDescription,
        _ reach: TextReach
    ) -> (slot: Int, role: SetupRole, other: ConversationPath)? {
        for (slot, medium) in offer.media.enumerated()
        where medium.isMSRP && !medium.isFile && !medium.isRejected {
            let canConnect = reach.connects && reach.path(offer, slot: slot, connects: true) != nil
            // Without a word about it the offerer connects (RFC 4975, section 5.4).
            guard let role = (medium.setup ?? .active).answering(canListen: true, canConnect: canConnect),
                role != .holdConnection,
                let other = reach.path(offer, slot: slot, connects: role == .active)
            else { continue }
            return (slot, role, other)
        }
        return nil
    }
}

extension Agreement {
    /// The medium that texts flow on.
    package var slot: Int? { media.firstIndex { $0.isActive && $0.local.isMSRP && !$0.local.isFile } }
}
