public import ClientWire
public import MessagingCore
public import Store

extension MessagingService {
    /// Why each device got what it got.
    public func explain(_ who: DeviceIdentity, _ id: MessageID) async throws -> ExplanationDocument {
        try await read { view in
            guard let item = try view.item(who.account, kind: .message, object: id.description),
                let message = item.message, let user = try view.user(who.account)
            else { throw Refusal(.notFound, "no such message") }
            return ExplanationDocument(
                devices: try self.explanations(view, user, item, message).map(\.0)
            )
        }
    }

    /// Each device's share of a message with its reason, and whether the device has acknowledged it.
    func explanations(
        _ view: any ReadView,
        _ user: UserState,
        _ item: Item,
        _ message: MessageItem
    ) throws -> [(ExplanationDocument.Entry, acknowledged: Bool)] {
        let envelope = try view.content(message.content).map { try Documents.decode(Envelope.self, $0.document) }
        let past = try view.rules(user.account.id, revision: message.decisions.revision) ?? user.preferences.rules
        return try user.devices.sorted { $0.id < $1.id }.map { device in
            let reader = try PageReader(
                service: self,
                view: view,
                identity: DeviceIdentity(account: user.account.id, device: device.id)
            )
            let decision = try reader.decision(for: item, message, document: nil)
            let isLate = message.decisions[device.id] == nil
            let book = isLate ? try view.rules(user.account.id, revision: device.rulesRevision) ?? past : past
            let facts = envelope.map { MessageFacts($0, ownAddresses: message.ownAddresses) }
            let list = message.flags.contains(.received) ? book.incoming : book.sentCopies
            let entry = ExplanationDocument.Entry(
                device: device.id,
                label: device.label,
                kind: device.kind,
                deliver: decision.deliver,
                silent: decision.silent,
                because: decision.explanation(list, facts, device)
                    + (isLate ? " (by the rules at the device's registration)" : "")
            )
            return (entry, device.cursor.number >= item.changed)
        }
    }

    /// What each device would get of a message that might come.
    public func dryRun(_ who: DeviceIdentity, _ request: DryRunRequest) async throws -> ExplanationDocument {
        try request.rules?.validate()
        let user = try await user(who.account)
        var preferences = user.preferences
        if let rules = request.rules { preferences.rules = rules }
        let now = request.at ?? clock()
        var parts: [Part] = []
        for type in request.mediaTypes ?? ["text/plain"] {
            guard let type = canonicalMediaType(type) else {
                throw Refusal(.invalidRequest, "mediaTypes: not a media type")
            }
            parts.append(Part(type: type, text: ""))
        }
        let own = request.to ?? Array(user.account.addresses.prefix(1))
        var envelope = Envelope(
            id: MessageID(stored: "dry-run"),
            from: request.from,
            to: own,
            date: now,
            kind: request.kind ?? .immediate,
            conversation: ConversationID(stored: "dry-run"),
            parts: parts
        )
        if let bytes = request.bytes, let first = envelope.parts.indices.first { envelope.parts[first].bytes = bytes }
        let facts = MessageFacts(envelope, ownAddresses: own)
        let policy = settingsInForce.policy
        return ExplanationDocument(
            devices: user.devices.sorted { $0.id < $1.id }.map { device in
                let decision = decide(
                    facts,
                    .incoming,
                    device: device,
                    preferences: preferences,
                    policy: policy,
                    now: now
                )
                return ExplanationDocument.Entry(
                    device: device.id,
                    label: device.label,
                    kind: device.kind,
                    deliver: decision.deliver,
                    silent: decision.silent,
                    because: decision.explanation(preferences.rules.incoming, facts, device)
                )
            }
        )
    }
}

extension Decision {
    /// A sentence that names the rule and the facts that matched.
    func explanation(_ list: RuleList, _ facts: MessageFacts?, _ device: Device) -> String {
        switch because {
        case .operatorProhibits: "the operator does not allow it"
        case .blockedSender: "the sender is blocked"
        case .otherwise: "no rule matched: the default holds"
        case .cannotShow:
            "the device cannot show "
                + (facts?.mediaTypes.filter { !device.capabilities.accept($0) }.joined(separator: ", ") ?? "a part")
        case .deviceSizeLimit:
            "the message is larger than the device takes (\(device.capabilities.maximumMessageBytes ?? 0) bytes)"
        case .operatorMedia: "the operator sends such media as a notification"
        case .operatorSizeLimit: "the operator sends messages of this size as a notification"
        case .sentFromHere: "it was sent from this device"
        case .deletedHere: "it was deleted on this device only"
        case .fetchedHere: "it was fetched by this device"
        case .takesPart: "the device takes part in the conversation"
        case .rule(let index):
            if list.rules.indices.contains(index) {
                "rule '\(list.rules[index].name)' matched: \(list.rules[index].matched(facts, device))"
            } else {
                "rule \(index + 1) of an earlier revision matched"
            }
        }
    }
}

extension Rule {
    /// The facts that the rule's conditions speak of.
    fileprivate func matched(_ facts: MessageFacts?, _ device: Device) -> String {
        var pieces: [String] = []
        if let to = when.to, let facts {
            pieces.append("to=" + facts.ownAddresses.filter(to.contains).map(\.description).joined(separator: ","))
        }
        if when.from != nil || when.fromDomains != nil || when.fromLists != nil, let facts {
            pieces.append("from=\(facts.from)")
        }
        if when.devices != nil || unless?.devices != nil { pieces.append("device is \(device.label)") }
        if let kinds = when.deviceKinds, kinds.contains(device.kind) {
            pieces.append("device kind is \(device.kind.rawValue)")
        }
        if let kinds = unless?.deviceKinds, !kinds.contains(device.kind) {
            pieces.append("device kind is not " + kinds.map(\.rawValue).joined(separator: " or "))
        }
        if when.messageKinds != nil, let facts { pieces.append("kind=\(facts.kind.rawValue)") }
        if let media = when.media, let facts {
            let types = facts.mediaTypes.filter { type in media.contains { $0.matches(type) } }
            pieces.append("media=" + types.joined(separator: ","))
        }
        if when.atLeastBytes != nil || when.belowBytes != nil, let facts { pieces.append("bytes=\(facts.bytes)") }
        if when.hours != nil { pieces.append("within the hours") }
        if when.availability != nil { pieces.append("by availability") }
        if when.deviceAvailability != nil { pieces.append("by the device's availability") }
        return pieces.isEmpty ? "it has no conditions" : pieces.joined(separator: ", ")
    }
}
