public import ClientWire
import Logging
public import MessagingCore
public import Store

extension MessagingService {
    /// Marks messages as read: named ones, or what this device was sent of a conversation up to a number.
    /// - Throws: ``Refusal`` `not-found` when a named message is not the user's.
    public func markRead(_ who: DeviceIdentity, _ request: ReadRequest) async throws -> CountAnswer {
        switch (request.ids, request.conversation, request.upTo) {
        case (let ids?, nil, nil):
            let ids = try Self.bounded(ids)
            return try await perform { work in
                var changed = 0
                for id in ids where try self.read(work, try self.message(work, who.account, id)) { changed += 1 }
                return CountAnswer(changed: changed)
            }
        case (nil, let conversation?, let upTo?):
            return try await readConversation(who, conversation, upTo: upTo)
        default:
            throw Refusal(.invalidRequest, "name either ids, or a conversation and upTo")
        }
    }

    /// In chunks, so that one command never holds the writer for long; each chunk is a commit of its own.
    private func readConversation(
        _ who: DeviceIdentity,
        _ conversation: ConversationID,
        upTo: ChangeNumber
    ) async throws -> CountAnswer {
        var changed = 0
        var passed: ChangeNumber = 0
        while true {
            let after = passed
            let (count, last, more) = try await perform { work in
                let unread = try work.transaction.unread(
                    who.account,
                    conversation: conversation,
                    after: after,
                    upTo: upTo,
                    limit: Limits.itemsPerCommand
                )
                var count = 0
                for item in unread {
                    // What this device was not sent whole, nor has opened, its user has not seen here.
                    guard let message = item.message,
                        try self.decision(work, who.device, item, message).deliver == .whole
                    else { continue }
                    if try self.read(work, item) { count += 1 }
                }
                return (count, unread.last?.created ?? upTo, unread.count == Limits.itemsPerCommand)
            }
            changed += count
            passed = last
            guard more else { return CountAnswer(changed: changed) }
        }
    }

    private func read(_ work: Work, _ item: Item) throws -> Bool {
        guard var message = item.message, let effects = message.markRead() else { return false }
        var user = try work.user(item.account)
        var item = item
        item.changed = user.account.nextNumber()
        item.body = .message(message)
        work.put(user)
        try work.put(item)
        try report(work, effects, message, of: item)
        return true
    }

    /// Deletes on all devices, or on this one only.
    /// - Throws: ``Refusal`` `not-found` when a message is not the user's.
    public func delete(_ who: DeviceIdentity, _ request: DeleteRequest) async throws -> CountAnswer {
        let ids = try Self.bounded(request.ids)
        return try await perform { work in
            var changed = 0
            for id in ids {
                let item = try self.message(work, who.account, id)
                switch request.scope {
                case .everywhere: if try self.deleteEverywhere(work, item) { changed += 1 }
                case .here: if try self.deleteHere(work, who.device, item) { changed += 1 }
                }
            }
            return CountAnswer(changed: changed)
        }
    }

    /// A tombstone in the user's own mailbox; the content goes with its last item.
    func deleteEverywhere(_ work: Work, _ item: Item) throws -> Bool {
        guard let message = item.message else { return false }
        var user = try work.user(item.account)
        var item = item
        item.changed = user.account.nextNumber()
        item.body = .tombstone
        user.account.used -= try releaseContent(work, message, dropsEnvelope: true)
        work.put(user)
        try work.put(item)
        return true
    }

    private func deleteHere(_ work: Work, _ device: DeviceID, _ item: Item) throws -> Bool {
        guard var message = item.message else { return false }
        let current = try decision(work, device, item, message)
        guard message.deleteHere(device, current: current) else { return false }
        var item = item
        item.body = .message(message)
        // No other device is told, and this one asked for it: the change takes no number.
        try work.putSilently(item)
        return true
    }

    /// Raises this device's decision to whole and returns the message.
    /// - Throws: ``Refusal`` `not-found` or `no-longer-stored`.
    public func fetch(_ who: DeviceIdentity, _ id: MessageID) async throws -> ItemDocument {
        try await perform { work in
            var item = try self.message(work, who.account, id)
            guard var message = item.message else { throw Refusal(.notFound, "no such message") }
            let current = try self.decision(work, who.device, item, message)
            let raised = try message.fetch(who.device, current: current)
            let effects = message.markDelivered()
            guard raised || effects != nil else { return }
            item.body = .message(message)
            try work.putSilently(item)
            // Last: the sender's item may be this very one.
            try self.report(work, effects ?? [], message, of: item)
        }
        return try await self.message(who, id)
    }

    /// Devices acknowledged these messages: tells senders who asked.
    ///
    /// `committed` is called once that is certain, on any thread; never if it failed.
    func delivered(
        _ account: AccountID,
        _ created: [ChangeNumber],
        committed: @escaping @Sendable () -> Void = {}
    ) {
        perform({ work in
            for number in created {
                guard var item = try work.transaction.item(account, created: number), var message = item.message,
                    let effects = message.markDelivered()
                else { continue }
                item.body = .message(message)
                try work.putSilently(item)
                try self.report(work, effects, message, of: item)
            }
        }) { [logger] result in
            switch result {
            case .success: committed()
            case .failure(let error):
                logger.error("noting deliveries failed", metadata: ["error": "\(type(of: error))"])
            }
        }
    }

    /// Raises the sender's view of this receiver, in the same commit.
    func report(_ work: Work, _ effects: [MessageItem.Effect], _ message: MessageItem, of item: Item) throws {
        guard !effects.isEmpty, let content = try work.transaction.content(message.content) else { return }
        let envelope = try Documents.decode(Envelope.self, content.document)
        let disposition: Disposition = effects.contains(.reportDisplayed) ? .displayed : .delivered
        guard let sender = try work.account(holding: envelope.from) else {
            try enqueueReport(work, disposition, message, envelope, of: item)
            return
        }
        try raise(work, sender, envelope.id, message.ownAddresses, to: disposition, failure: nil)
    }

    /// Raises receivers' states in the sender's item; a sent item that is deleted settles it and changes nothing.
    @discardableResult
    func raise(
        _ work: Work,
        _ sender: AccountID,
        _ id: MessageID,
        _ receivers: [Address],
        to disposition: Disposition,
        failure: Refusal.Code?
    ) throws -> Bool {
        guard var item = try work.transaction.item(sender, kind: .message, object: id.description),
            var message = item.message
        else { return false }
        var raised = false
        for index in message.receivers.indices where receivers.contains(message.receivers[index].address) {
            if message.receivers[index].raise(to: disposition, at: work.now, failure: failure) { raised = true }
        }
        guard raised else { return false }
        var user = try work.user(sender)
        item.changed = user.account.nextNumber()
        item.body = .message(message)
        work.put(user)
        try work.put(item)
        return true
    }

    private func enqueueReport(
        _ work: Work,
        _ disposition: Disposition,
        _ message: MessageItem,
        _ envelope: Envelope,
        of item: Item
    ) throws {
        for address in message.ownAddresses {
            let entry = OutboxEntry(
                account: item.account,
                message: envelope.id,
                content: message.content,
                lane: "\(envelope.from.domain ?? "tel")|\(envelope.conversation)",
                task: .report(to: envelope.from, receiver: address, disposition),
                expires: work.now.advanced(by: Limits.outboxExpiryMilliseconds)
            )
            try work.transaction.apply(.enqueue(entry, due: work.now))
        }
        work.hasQueued = true
    }

    // MARK: Common

    static func bounded(_ ids: [MessageID]) throws(Refusal) -> [MessageID] {
        guard ids.count <= Limits.itemsPerCommand else {
            throw Refusal(.tooMany, "at most \(Limits.itemsPerCommand) messages in one command")
        }
        return ids
    }

    /// - Throws: ``Refusal`` `not-found`, the same for a foreign message and for none.
    func message(_ work: Work, _ account: AccountID, _ id: MessageID) throws -> Item {
        guard let item = try work.transaction.item(account, kind: .message, object: id.description),
            !item.isTombstone
        else { throw Refusal(.notFound, "no such message") }
        return item
    }

    /// The device's decision as packed, or as its registration's rules make it.
    func decision(
        _ work: Work,
        _ device: DeviceID,
        _ item: Item,
        _ message: MessageItem
    ) throws -> Decision {
        if let packed = message.decisions[device] { return packed }
        let reader = try PageReader(
            service: self,
            view: work.transaction,
            identity: DeviceIdentity(account: item.account, device: device)
        )
        return try reader.decision(for: item, message, document: nil)
    }

    /// Gives up an item's hold on its content; returns the bytes it counted for.
    ///
    /// - Parameter dropsEnvelope: the item dies; else it was released and keeps the envelope.
    func releaseContent(_ work: Work, _ message: MessageItem, dropsEnvelope: Bool) throws -> Int64 {
        try release(
            work,
            message.content,
            held: !message.flags.contains(.released),
            dropsEnvelope: dropsEnvelope
        )
    }

    /// Takes one holder, one reference or both from a content; what nobody holds or shows any more goes.
    @discardableResult
    func release(_ work: Work, _ id: ContentID, held: Bool, dropsEnvelope: Bool) throws -> Int64 {
        guard var content = try work.transaction.content(id) else { return 0 }
        // What cannot be read any more can be let go all the same; how much it counted for is lost with it.
        let envelope = try? Documents.decode(Envelope.self, content.document)
        if dropsEnvelope { content.references -= 1 }
        if held { content.holders -= 1 }
        let bodyGoes = held && content.holders <= 0
        if bodyGoes {
            for blob in content.blobs { try work.transaction.apply(.refer(blob, by: -1, at: work.now)) }
            content.blobs = []
            try unindex(work, content)
        }
        if content.references <= 0 {
            try work.transaction.apply(.removeContent(content.id))
        } else {
            if bodyGoes, envelope == nil { content.document = [] }
            if bodyGoes, var bare = envelope {
                bare.parts = bare.parts.map { part in
                    var part = part
                    part.text = nil
                    part.sha256 = nil
                    return part
                }
                content.document = try Documents.encode(bare)
            }
            try work.transaction.apply(.content(content))
        }
        return held ? envelope?.bytes ?? 0 : 0
    }
}
