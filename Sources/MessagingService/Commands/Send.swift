public import ClientWire
import Crypto
import FoundationEssentials
public import MessagingCore
public import Store
import Synchronization

extension MessagingService {
    /// Accepts a message: charged, stored and in every local receiver's mailbox in one commit, or refused whole.
    ///
    /// The same id with the same request gives the same answer; with another one it is a conflict.
    /// - Throws: ``Refusal``.
    public func send(_ who: DeviceIdentity, _ request: SendRequest) async throws -> SendAnswer {
        try await withCheckedThrowingContinuation { continuation in
            send(who, request) { continuation.resume(with: $0) }
        }
    }

    /// As above; `completion` is called on the writer's thread.
    ///
    /// - Parameter isDated: the id says when it was made; that of a SIP phone says nothing, and once its key is
    ///   forgotten it is taken as new.
    func send(
        _ who: DeviceIdentity,
        _ request: SendRequest,
        digest: [UInt8]? = nil,
        isDated: Bool = true,
        completion: @escaping @Sendable (Result<SendAnswer, any Error>) -> Void
    ) {
        let digest = digest ?? Self.digest(of: request)
        perform({ work in try self.submit(work, who, request, digest, isDated: isDated) }) { [figures] result in
            if case .success(let answer) = result, !answer.repeated { figures.messages.add(1, ordering: .relaxed) }
            completion(result)
        }
    }

    private func submit(
        _ work: Work,
        _ who: DeviceIdentity,
        _ request: SendRequest,
        _ digest: [UInt8],
        isDated: Bool
    ) throws -> SendAnswer {
        if let key = try work.transaction.key(who.account, request.id) {
            guard key.digest == digest else {
                throw Refusal(.conflict, "this message id was used for another message")
            }
            return try repeated(work, who.account, request, created: key.created)
        }
        do {
            if isDated { try Self.checkAge(request.id, now: work.now) }
        } catch {
            // Its key is forgotten, but as long as the message is there its answer is.
            guard error.code == .stale,
                let item = try work.transaction.item(who.account, kind: .message, object: request.id.description),
                item.message?.flags.contains(.sent) ?? false
            else { throw error }
            return try repeated(work, who.account, request, created: item.created)
        }
        let sender = try work.user(who.account)
        guard sender.device(who.device) != nil else { throw Refusal(.unauthenticated, "the device was revoked") }
        let parts = try PartResolver(work: work, account: who.account).resolve(request.parts)
        if let session = request.session {
            let answer = try say(work, who, session, request, parts, digest)
            try spendUploads(work, request)
            return answer
        }
        let from = try Self.from(request, sender)
        let envelope = Envelope(
            id: request.id,
            from: from,
            to: request.to,
            date: work.now,
            kind: request.kind ?? .immediate,
            conversation: Self.conversation(of: request, from: from),
            subject: request.subject,
            inReplyTo: request.inReplyTo,
            expires: request.expires,
            parts: parts
        )
        let (answer, _, _) = try commit(
            work,
            Submission(envelope: envelope, device: who.device, reports: request.reports ?? [], digest: digest),
            sender: who.account
        )
        try spendUploads(work, request)
        return answer
    }

    private func spendUploads(_ work: Work, _ request: SendRequest) throws {
        // The message holds the bytes now: a handle that stayed would count against the account until its lease ends.
        for id in Set(request.parts.compactMap(\.upload)) {
            if let upload = try work.transaction.upload(id) { try Self.drop(upload, work) }
        }
    }

    /// Decides in the core, then writes what it decided.
    /// - Parameter isAlone: the others get it through somebody else, whoever's users they are.
    func commit(
        _ work: Work,
        _ submission: Submission,
        sender: AccountID,
        isAlone: Bool = false
    ) throws -> (answer: SendAnswer, content: ContentID, items: [Item]) {
        let envelope = submission.envelope
        var resolutions: [Address: Resolution] = [:]
        var concerned: [AccountID: UserState] = [sender: try work.user(sender)]
        for address in envelope.to where resolutions[address] == nil {
            let resolution = isAlone ? .remote : try resolve(work, address)
            resolutions[address] = resolution
            if case .local(let id) = resolution, concerned[id] == nil { concerned[id] = try work.user(id) }
        }
        var existing: [AccountID: Item] = [:]
        for id in concerned.keys {
            existing[id] = try work.transaction.item(id, kind: .message, object: envelope.id.description)
        }
        guard existing[sender] == nil else {
            throw Refusal(.conflict, "this message id is in the mailbox already")
        }
        let settings = settingsInForce
        let content = try work.transaction.nextContentID()
        let submitted = try MessagingCore.submit(
            submission,
            content: content,
            sender: sender,
            users: &concerned,
            resolve: { resolutions[$0] ?? .unknown },
            existing: { existing[$0] },
            policy: settings.policy,
            tariff: settings.tariff,
            now: work.now
        )

        let document = ItemWriter.document(of: envelope)
        let blobs = envelope.parts.compactMap(\.sha256)
        // What waits in the outbox holds the content too: deleting the sent message does not take it from a receiver.
        let references = submitted.references + submitted.outbox.count
        try work.transaction.apply(
            .content(
                StoredContent(
                    id: content,
                    message: envelope.id,
                    document: document,
                    blobs: blobs,
                    accounts: submitted.items.map(\.account),
                    references: references,
                    holders: references,
                    time: work.now
                )
            )
        )
        indexSoon(work, content, envelope)
        for blob in blobs { try work.transaction.apply(.refer(blob, by: 1, at: work.now)) }
        for user in concerned.values { work.put(user) }
        for item in submitted.items { try work.put(item, document: document) }
        for line in submitted.ledger { try work.transaction.apply(.ledger(line)) }
        for entry in submitted.outbox { try work.transaction.apply(.enqueue(entry, due: work.now)) }
        try work.transaction.apply(
            .key(
                sender,
                envelope.id,
                SubmissionKey(digest: submission.digest, created: submitted.created, time: work.now)
            )
        )
        if !submitted.outbox.isEmpty { work.hasQueued = true }
        let answer = SendAnswer(
            id: envelope.id,
            created: submitted.created,
            conversation: envelope.conversation,
            receivers: submitted.receivers.map(ReceiverDocument.init),
            balance: concerned[sender]?.account.balance ?? 0,
            ordinal: envelope.session?.ordinal,
            repeated: false
        )
        return (answer, content, submitted.items)
    }

    /// The answer to a message that was accepted before.
    private func repeated(
        _ work: Work,
        _ account: AccountID,
        _ request: SendRequest,
        created: ChangeNumber
    ) throws -> SendAnswer {
        let user = try work.user(account)
        let message = try work.transaction.item(account, created: created)?.message
        let envelope =
            try request.session == nil
            ? nil
            : message.flatMap { try work.transaction.content($0.content) }
                .map { try Documents.decode(Envelope.self, $0.document) }
        return SendAnswer(
            id: request.id,
            created: created,
            conversation: try message?.conversation
                ?? Self.conversation(of: request, from: Self.from(request, user)),
            receivers: message?.receivers.map(ReceiverDocument.init) ?? [],
            balance: user.account.balance,
            ordinal: envelope?.session?.ordinal,
            repeated: true
        )
    }

    /// The address that a request is sent from.
    private static func from(_ request: SendRequest, _ sender: UserState) throws(Refusal) -> Address {
        guard let from = request.from ?? sender.account.addresses.first else {
            throw Refusal(.notEntitled, "the account has no address")
        }
        return from
    }

    /// What an address is: ours and held, ours and nobody's, or another provider's.
    func resolve(_ work: Work, _ address: Address) throws -> Resolution {
        if let account = try work.account(holding: address) { return .local(account) }
        guard let domain = address.domain else { return .unknown }
        return configuration.domains.contains(domain) ? .unknown : .remote
    }

    /// An id is a UUID of version 7, so that it has an age; beyond the horizon of the keys it is never taken as new.
    static func checkAge(_ id: MessageID, now: Timestamp) throws(Refusal) {
        guard let made = id.creationTime else {
            throw Refusal(.invalidID, "a message id is a UUID of version 7")
        }
        let age = now.milliseconds(since: made)
        guard age < Limits.keyHorizonMilliseconds else {
            throw Refusal(.stale, "the message id is too old to be told from one that was sent")
        }
        guard age > -Limits.clockSkewMilliseconds else {
            throw Refusal(.invalidID, "the message id lies in the future")
        }
    }

    /// The conversation that the client names, or that of the participants: the same from every side.
    private static func conversation(of request: SendRequest, from: Address) -> ConversationID {
        request.conversation ?? conversation(of: [from] + request.to)
    }

    /// The conversation of these participants.
    public static func conversation(of participants: [Address]) -> ConversationID {
        var hash = SHA256()
        for address in Set(participants).sorted() {
            hash.update(data: Array(address.description.utf8))
            hash.update(data: [0])
        }
        return ConversationID(stored: "c-" + hexadecimal(hash.finalize().prefix(16)))
    }

    /// What makes two requests the same: everything that the client said, length before value.
    static func digest(of request: SendRequest) -> [UInt8] {
        var hash = SHA256()
        func add(_ text: String?) {
            guard var text else { return hash.update(data: [0]) }
            withUnsafeBytes(of: Int64(text.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
            text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        }
        add(request.from?.description)
        for address in request.to { add(address.description) }
        add(request.subject)
        for part in request.parts {
            add("part")
            add(part.type)
            add(part.name)
            add(part.text)
            add(part.upload)
            add(part.file)
            add(part.forward.map { "\($0.message) \($0.part)" })
        }
        add(request.reports.map { $0.map(\.rawValue).joined(separator: ",") })
        add(request.kind?.rawValue)
        add(request.conversation?.description)
        add(request.inReplyTo?.description)
        add(request.expires?.description)
        add(request.session?.description)
        return Array(hash.finalize())
    }
}
