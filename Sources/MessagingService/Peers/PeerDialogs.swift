public import MessagingCore
import SessionCore
import Store

/// Sessions with users whose providers keep no lanes: a dialog of SIP stands where the other side's machine would be, and
/// what comes out of it is numbered here. Whoever calls has made sure that the peer may speak for the sender's domain.
extension MessagingService {
    /// Takes what the other side says next. A text that is stored already is not stored again.
    ///
    /// A text of the other side's user, or the place of one of ours, gets the next ordinal where the owner is elsewhere: the
    /// order is that of arrival here.
    /// - Parameter files: those that the parts of the text name, taken in before.
    /// - Returns: false when it changed nothing.
    /// - Throws: ``Refusal`` as ``take(_:with:)``, and `conflict` for a text of a session that its sender is not in.
    @discardableResult
    public func takeNext(
        _ line: SessionLine,
        of session: SessionID,
        from: Address,
        to: Address,
        text: PeerText? = nil,
        with files: [IncomingFile] = []
    ) async throws -> Bool {
        // Number and ordinal are given in the writer's turn, whichever the line names.
        let parcel = SessionParcel(session: session, from: from, to: to, number: 1, line: line, text: text)
        try admit(parcel)
        return try await perform { work in
            guard let account = try work.account(holding: to) else { throw Refusal(.notFound, "\(to): no such user") }
            guard let next = try self.next(work, parcel, account) else {
                try Self.drop(files, work)
                return false
            }
            return try self.take(work, next, files)
        }
    }

    /// A user of another provider asks somebody else into a conversation that is owned here, as any participant may.
    /// - Throws: ``Refusal`` `not-found` when there is no such conversation or user, or no way to one, `forbidden` for whoever
    ///   does not take part, `conflict` when that user does or is being asked, `too-many`, `rate-limited`.
    public func invite(_ address: Address, to session: SessionID, of owner: Address, by other: Address) async throws {
        try admit(requestBy: "\(other.domain ?? "tel")>\(address)")
        try await perform { work in
            guard let account = try work.account(holding: owner), let host = try work.host(account, session),
                host.details.creator == owner
            else { throw Refusal(.notFound, "no such conversation") }
            guard case .present = host.machine.seats[other], host.machine.phase == .open else {
                throw Refusal(.forbidden, "\(other) does not take part")
            }
            _ = try self.mayBeAsked(work, address)
            switch host.machine.seats[address] {
            case .called, .present: throw Refusal(.conflict, "\(address) takes part already, or is being asked")
            case .gone: break
            case nil:
                guard host.machine.seats.count < SessionLimits.participants else {
                    throw Refusal(.tooMany, "at most \(SessionLimits.participants) users in a session")
                }
            }
            let line = SessionLine.toOwner(.invite(address))
            let parcel = SessionParcel(session: session, from: other, to: owner, number: 1, line: line, text: nil)
            if let next = try self.next(work, parcel, account) { _ = try self.take(work, next, []) }
        }
    }

    /// Where an invitation into a conversation that is owned here stands; nil when there is none.
    public func invitation(
        of address: Address,
        to session: SessionID,
        of owner: Address
    ) async throws
        -> InvitationState?
    {
        try await read { view in
            try view.account(holding: owner).flatMap { try Self.invitation(view, of: address, to: session, at: $0) }
        }
    }

    /// The parcel under the number that its lane waits for; nil when its text is there already.
    private func next(_ work: Work, _ parcel: SessionParcel, _ account: AccountID) throws -> SessionParcel? {
        var parcel = parcel
        let part = try work.part(account, parcel.session)
        switch parcel.line {
        case .request: parcel.number = (part?.lane.receiver.taken ?? 0) + 1
        case .fromOwner(let message):
            guard let part else { throw Refusal(.notFound, "no such session") }
            parcel.number = part.lane.receiver.taken + 1
            guard case .text(_, let id, let sender) = message else { break }
            guard part.machine.phase == .present else { throw Refusal(.conflict, "the session is not open") }
            if sender == parcel.to {
                guard part.machine.pending.contains(id) else { return nil }
            } else if try isKnown(work, id, account) {
                return nil
            }
            parcel.line = .fromOwner(.text(part.machine.head + 1, id, from: sender))
        case .toOwner(let message):
            guard let host = try work.host(account, parcel.session) else { throw Refusal(.notFound, "no such session") }
            parcel.number = (host.lanes[parcel.from]?.receiver.taken ?? 0) + 1
            guard case .text(let id) = message else { break }
            guard case .present = host.machine.seats[parcel.from], host.machine.phase == .open else {
                throw Refusal(.conflict, "the session is not open")
            }
            if try isKnown(work, id, account) { return nil }
        }
        return parcel
    }

    private func isKnown(_ work: Work, _ id: MessageID, _ account: AccountID) throws -> Bool {
        try work.transaction.item(account, kind: .message, object: id.description) != nil
    }

    /// The other side of a session will not be heard of again: it ends here, or goes on without that user.
    public func lose(_ session: SessionID, of user: Address, with other: Address) async throws {
        try await perform { work in
            guard let account = try work.account(holding: user) else { return }
            try self.lose(work, session, account, from: user, to: other)
        }
    }
}

/// What was kept of a conversation with a user whose provider keeps no lanes.
public struct KeptConversation: Sendable, Hashable {
    public let session: SessionID
    /// The user of this provider, and the other one.
    public let own: Address
    public let other: Address
    public let conversation: ConversationID
    /// As it was given to ``MessagingService/keep(dialog:of:for:with:)``.
    public let dialog: String
}

extension MessagingService {
    private static let sidesAtOnce = 100

    /// Keeps what a dialog needs to go on after a restart, for as long as the session lives.
    public func keep(dialog: String, of session: SessionID, for user: Address, with other: Address) async throws {
        try await perform { work in
            guard let account = try work.account(holding: user) else { return }
            if var host = try work.host(account, session), host.details.creator == user {
                host.lanes[other, default: PeerLane()].dialog = dialog
                try work.put(host, account)
            } else if var part = try work.part(account, session), part.details.creator == other {
                part.lane.dialog = dialog
                try work.put(part, account)
            }
        }
    }

    /// What was kept of all sessions that are not over.
    public func keptConversations() async throws -> [KeptConversation] {
        var all: [KeptConversation] = []
        var position: (AccountID, SessionID)?
        while true {
            let after = position
            let (kept, last) = try await read { view in
                let open = try view.openSessions(after: after, limit: Self.sidesAtOnce)
                let last = open.count == Self.sidesAtOnce ? open.last.map { ($0.account, $0.session) } : nil
                return (try open.flatMap { try Self.kept(view, $0) }, last)
            }
            all += kept
            guard let last else { return all }
            position = last
        }
    }

    private static func kept(_ view: any ReadView, _ record: SessionRecord) throws -> [KeptConversation] {
        let part = try Documents.decode(PartSide.self, record.state)
        let user = part.machine.user
        let conversation = part.details.conversation
        guard part.details.creator == user else {
            guard let dialog = part.lane.dialog else { return [] }
            let other = part.details.creator
            return [
                KeptConversation(
                    session: record.session,
                    own: user,
                    other: other,
                    conversation: conversation,
                    dialog: dialog
                )
            ]
        }
        guard let owner = try view.session(record.account, record.session, .owner) else { return [] }
        let host = try Documents.decode(HostSide.self, owner.state)
        return host.lanes.compactMap { other, lane in
            // Who has left is not called back.
            guard let dialog = lane.dialog, case .present = host.machine.seats[other] else { return nil }
            return KeptConversation(
                session: record.session,
                own: user,
                other: other,
                conversation: conversation,
                dialog: dialog
            )
        }
    }
}
