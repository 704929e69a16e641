public import ClientWire
public import MessagingCore
import SessionCore
public import Store

/// Which of a user's devices take part in a session.
extension MessagingService {
    /// Asks a device to join: in place of another one's leg, or beside all.
    /// - Throws: ``Refusal`` `conflict` when the device takes part already, is not registered, or when the leg is being
    ///   handed over, naming to whom; `not-found`.
    public func attach(_ who: DeviceIdentity, _ id: SessionID, _ request: LegRequest) async throws -> SessionDocument {
        let history = try Self.history(request)
        return try await change(who, id) { turn in
            let device = try self.device(turn.work, who, request.device)
            try turn.change(who.account) { part in
                var replaced: Generation?
                if let from = request.from {
                    guard let leg = part.machine.legs.live(from) else {
                        throw Refusal(.conflict, "device \(from.rawValue) has no live part in this conversation")
                    }
                    replaced = leg.generation
                }
                return try part.machine.attach(device, replacing: replaced, history: history, now: turn.now)
            }
        }
    }

    private static func history(_ request: LegRequest) throws(Refusal) -> History {
        switch (request.history ?? .all, request.count) {
        case (.none, nil): return .none
        case (.all, nil): return .all
        case (.last, let count?) where count >= 0: return .last(count)
        case (.last, _): throw Refusal(.invalidRequest, "count: how many texts?")
        case (.none, _), (.all, _): throw Refusal(.invalidRequest, "count: only with history last")
        }
    }

    /// A device says where its own leg stands; what it says under another generation is refused.
    /// - Throws: ``Refusal`` `conflict` when that leg is not this device's.
    public func step(_ who: DeviceIdentity, _ id: SessionID, _ step: LegStep) async throws -> SessionDocument {
        try await change(who, id) { turn in
            try turn.change(who.account) { part in
                guard part.machine.legs[step.generation]?.device == who.device else {
                    throw Refusal(.conflict, "generation \(step.generation.rawValue) is not this device's")
                }
                switch step.step {
                case .ready: return part.machine.ready(step.generation, now: turn.now)
                case .failed: return part.machine.fail(step.generation)
                case .closed: return part.machine.close(step.generation)
                case .progress:
                    guard let position = step.position else {
                        throw Refusal(.invalidRequest, "position: up to where does the device have the texts?")
                    }
                    return part.machine.progress(step.generation, position: position, now: turn.now)
                }
            }
        }
    }

    /// Texts of a session in their order, whole for a device that takes part in it.
    public func texts(
        _ who: DeviceIdentity,
        _ id: SessionID,
        after: Ordinal,
        limit: Int
    ) async throws -> SessionTexts {
        let limit = Self.bounded(limit)
        try await raise(who, id, after: after, limit: limit)
        return try await listed(who) { reader in
            let view = reader.view
            guard let record = try view.session(who.account, id, .participant) else {
                throw Refusal(.notFound, "no such conversation")
            }
            let texts = try view.texts(record.account, id, after: after, limit: limit)
            let items = try texts.compactMap { try view.item(who.account, created: $0.created) }
            let (page, arrived) = try self.page(reader, items.filter { !$0.isTombstone }, limit: limit)
            let head = try view.lastText(who.account, id)?.ordinal ?? 0
            return (SessionTexts(texts: page.items, head: head, upTo: texts.last?.ordinal ?? after), arrived)
        }
    }

    /// What the rules kept from a device is its own once it takes part.
    private func raise(_ who: DeviceIdentity, _ id: SessionID, after: Ordinal, limit: Int) async throws {
        let kept = try await read { view in
            try view.texts(who.account, id, after: after, limit: limit).contains { text in
                try view.item(who.account, created: text.created)?.message?.decisions[who.device]?.deliver != .whole
            }
        }
        guard kept else { return }
        try await perform { work in
            guard let part = try work.part(who.account, id), !part.machine.isOver,
                part.machine.legs.legs.contains(where: { $0.device == who.device })
            else { return }
            for text in try work.transaction.texts(who.account, id, after: after, limit: limit) {
                guard var item = try work.transaction.item(who.account, created: text.created),
                    var message = item.message, !message.flags.contains(.released)
                else { continue }
                let current = try self.decision(work, who.device, item, message)
                guard try message.fetch(who.device, current: current) else { continue }
                item.body = .message(message)
                try work.putSilently(item)
            }
        }
    }

    // MARK: Lists

    /// The user's sessions that are not over, the same from any device.
    public func sessions(_ who: DeviceIdentity) async throws -> SessionList {
        try await read { view in
            let records = try view.sessions(of: who.account, limit: SessionLimits.sessionsPerUser)
            return SessionList(
                sessions: try records.map { SessionDocument(try Documents.decode(PartSide.self, $0.state)) }
            )
        }
    }

    /// One session, also one that is over.
    /// - Throws: ``Refusal`` `not-found`.
    public func session(_ who: DeviceIdentity, _ id: SessionID) async throws -> SessionDocument {
        try await read { view in SessionDocument(try Self.part(view, who.account, id)) }
    }

    static func part(_ view: any ReadView, _ account: AccountID, _ id: SessionID) throws -> PartSide {
        guard let record = try view.session(account, id, .participant) else {
            throw Refusal(.notFound, "no such conversation")
        }
        return try Documents.decode(PartSide.self, record.state)
    }

    /// The devices of everybody else in a session, as far as each of them lets others see.
    public func counterparts(_ who: DeviceIdentity, _ id: SessionID) async throws -> CounterpartList {
        let now = clock()
        var (user, known) = try await read { view in
            let part = try Self.part(view, who.account, id)
            let own = part.machine.user
            let others = part.machine.participants.filter { $0 != own }
            let known = try others.map { address -> (Address, CounterpartDocument?) in
                guard let account = try view.account(holding: address) else { return (address, nil) }
                // Who is no longer in it, on either side, sees and shows nothing.
                guard part.machine.phase == .present, let user = try view.user(account),
                    let their = try view.session(account, id, .participant),
                    case let machine = try Documents.decode(PartSide.self, their.state).machine,
                    machine.phase == .present, machine.participants.contains(own)
                else { return (address, CounterpartDocument(user: address)) }
                return (address, Self.counterpart(address, user, machine.media, now))
            }
            return (own, known)
        }
        for index in known.indices where known[index].1 == nil {
            known[index].1 = await router.counterpart(known[index].0, in: id, for: user)
        }
        return CounterpartList(users: known.map { $0.1 ?? CounterpartDocument(user: $0.0) })
    }

    static func counterpart(
        _ address: Address,
        _ user: UserState,
        _ media: [Medium],
        _ now: Timestamp
    ) -> CounterpartDocument {
        var document = CounterpartDocument(user: address)
        let registered = user.devices.filter { $0.isRegistered(at: now) }
        switch user.account.settings.tellDevices {
        case .nothing: return document
        case .capabilities, .devices:
            document.features = Set(registered.flatMap(\.capabilities.features)).sorted()
        }
        guard user.account.settings.tellDevices == .devices else { return document }
        document.devices = user.devices.map { device in
            CounterpartDocument.Device(
                label: device.label,
                kind: device.kind,
                features: device.capabilities.features,
                registered: device.isRegistered(at: now),
                media: media.filter { $0.placements[address]?.device == device.id }.map(\.id)
            )
        }
        return document
    }
}
