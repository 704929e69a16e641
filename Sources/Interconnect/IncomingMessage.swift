import ByteGrammar
import CPIM
import MessagingCore
import MessagingService
import XMLBodies

/// What the SIP headers say of a message that comes in, and what stands in for what it does not say itself.
struct IncomingContext: Sendable {
    /// Whose identity the peer asserts.
    var sender: Address
    /// The user it is for.
    var receiver: Address
    /// The id of a message that bears none.
    var fallbackID: MessageID
    var conversation: ConversationID?
    var inReplyTo: MessageID?
    var now: MessagingCore.Timestamp
    /// Whether it comes within a conversation of the two, where both may stay unnamed.
    var isInConversation = false
}

/// A message on its way in: parts that are files go to disk as they come, the rest is small.
struct IncomingMessage {
    enum Content {
        case message(PeerText, files: [IncomingFile])
        /// A text of a live conversation.
        case text(SessionParcel, files: [IncomingFile])
        case reports([(message: MessageID, disposition: Disposition)])
        /// Whether the sender is writing something.
        case composing(Bool)
    }

    private enum Part {
        case text(type: String, name: String?, [UInt8])
        case file(IncomingFile, type: String, name: String?, bytes: Int64, offset: Int64)
    }

    private let service: MessagingService
    private let context: IncomingContext
    /// What is left of the content behind the head, if that is known: the size of a single part.
    private var remaining: Int64?
    private var reader = ContentReader(maximumParts: Limits.messageParts)
    private var head: CPIMMessage?
    private var current: Part?
    private var parts: [MessagingCore.Part] = []
    private var notifications: [[UInt8]] = []
    private var composing: Bool?
    private(set) var files: [IncomingFile] = []

    /// Whether all of it is a status of composing, without an envelope.
    private let isBareStatus: Bool

    /// - Parameters:
    ///   - size: the octets of all of it, if known.
    ///   - type: what it is; a message if nil.
    init(_ service: MessagingService, _ context: IncomingContext, size: Int64?, type: String? = nil) {
        self.service = service
        self.context = context
        remaining = size
        isBareStatus =
            context.isInConversation && (type?.lowercased().hasPrefix(IsComposingDocument.contentType) ?? false)
        if isBareStatus { current = .text(type: IsComposingDocument.contentType, name: nil, []) }
    }

    /// Takes the next octets.
    /// - Throws: ``Refusal``, or ``CPIMError`` when they are no message.
    mutating func take(_ bytes: [UInt8]) async throws {
        if isBareStatus { return try await add(bytes[...]) }
        for event in try reader.feed(bytes) { try await take(event) }
    }

    /// All of it is there.
    /// - Throws: as ``take(_:)``.
    mutating func finish() async throws -> Content {
        if isBareStatus {
            try await end()
        } else {
            for event in try reader.finish() { try await take(event) }
        }
        if let composing { return .composing(composing) }
        guard let head else { throw Refusal(.invalidMessage, "there is no message") }
        guard notifications.isEmpty else { return .reports(try notifications.compactMap(Self.report)) }
        var text = PeerText(envelope: try envelope(head), reports: Self.reports(head))
        guard let line = try SessionMapping.line(of: head) else {
            // Who writes is who was let in.
            guard text.envelope.from == context.sender else {
                throw Refusal(.forbidden, "the message is from somebody else than its request")
            }
            return .message(text, files: files)
        }
        guard line.from == context.sender else {
            throw Refusal(.forbidden, "the line is from somebody else than its request")
        }
        text.envelope.kind = .inSession
        text.envelope.conversation = line.conversation
        text.envelope.expires = line.expires
        let parcel = SessionParcel(
            session: line.session,
            from: context.sender,
            to: context.receiver,
            number: line.number,
            line: line.line,
            text: text
        )
        return .text(parcel, files: files)
    }

    private mutating func take(_ event: ContentReader.Event) async throws {
        switch event {
        case .head(let message):
            head = message
            // A single part is what is left of the size; in a multipart each says its own.
            if let size = remaining {
                remaining = size - Int64(message.bytes.count)
                if message.content.effectiveMediaType.type == "multipart" { remaining = nil }
            }
        case .part(let entity): current = try await begin(entity)
        case .bytes(let bytes): try await add(bytes)
        case .endOfPart: try await end()
        }
    }

    private func begin(_ entity: MIMEEntity) async throws -> Part {
        let type = entity.effectiveMediaType
        guard let essence = canonicalMediaType(type.essence) else {
            throw Refusal(.invalidMessage, "a part has no proper media type")
        }
        let name = Self.fileName(entity)
        let charset = type.parameter("charset")?.lowercased() ?? "utf-8"
        let isText = essence.hasPrefix("text/") && ["utf-8", "us-ascii"].contains(charset)
        if isText || [IMDNDocument.contentType, FileTransferInfo.contentType].contains(essence) || isComposing(essence)
        {
            return .text(type: essence, name: name, [])
        }
        guard let bytes = entity.header("Content-Length").flatMap({ Int64($0) }) ?? remaining, bytes > 0 else {
            throw Refusal(.invalidMessage, "a file has to say its length")
        }
        let file = try await service.startFile(for: context.receiver, type: essence, name: name, bytes: bytes)
        return .file(file, type: essence, name: name, bytes: bytes, offset: 0)
    }

    private func isComposing(_ type: String) -> Bool {
        context.isInConversation && type == IsComposingDocument.contentType
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) async throws {
        switch current {
        case .text(let type, let name, let before):
            guard before.count + bytes.count <= Limits.inlineTextBytes else {
                throw Refusal(.tooLarge, "text of at most \(Limits.inlineTextBytes) bytes")
            }
            current = .text(type: type, name: name, before + bytes)
        case .file(let file, let type, let name, let size, let offset):
            let end = try await service.append(Array(bytes), to: file, at: offset)
            current = .file(file, type: type, name: name, bytes: size, offset: end)
        case nil: break
        }
    }

    private mutating func end() async throws {
        defer { current = nil }
        switch current {
        case .text(IMDNDocument.contentType, _, let bytes): notifications.append(bytes)
        case .text(FileTransferInfo.contentType, _, let bytes): parts.append(try LinkedFile.part(bytes))
        case .text(let type, _, let bytes) where isComposing(type): composing = try Self.isComposing(bytes)
        case .text(let type, let name, let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Refusal(.invalidMessage, "a text is not UTF-8")
            }
            parts.append(Part_(type: type, name: name, text: text))
        case .file(let file, let type, let name, let bytes, _):
            files.append(file)
            parts.append(Part_(type: type, name: name, bytes: bytes, blob: try await service.finish(file)))
        case nil: break
        }
    }

    /// Gives up what was taken in; to be called when the message comes to nothing.
    func giveUp() async {
        for file in files { await service.drop(file) }
        if case .file(let file, _, _, _, _) = current { await service.drop(file) }
    }

    // MARK: What its head says

    /// Where addresses are that name nobody (RFC 3323, section 4.1.1.3).
    private static let nobody = "anonymous.invalid"

    private typealias Part_ = MessagingCore.Part

    private func envelope(_ head: CPIMMessage) throws -> Envelope {
        guard let from = head.from else { throw Refusal(.invalidMessage, "From is missing") }
        var to = try head.to.map { try Address($0.uri) }
        if !to.contains(context.receiver) { to.append(context.receiver) }
        var sender = try Address(from.uri)
        // Within a conversation it is the signalling that says who writes.
        if context.isInConversation, sender.domain == Self.nobody { sender = context.sender }
        let kind = head.value(of: MessageMapping.kindHeader, in: MessageMapping.namespace).flatMap(MessageKind.init)
        let id =
            try head.value(of: "Message-ID", in: CPIMNamespace.imdn).map { try MessageID($0) } ?? context.fallbackID
        let isBare = parts.count == 1 && parts[0].text == "" && parts[0].name == nil && !head.subjects.isEmpty
        return Envelope(
            id: id,
            from: sender,
            to: to,
            date: head.dateTime.map(Self.timestamp) ?? context.now,
            kind: kind == .inSession ? .deferred : kind ?? .immediate,
            conversation: context.conversation ?? MessagingService.conversation(of: [sender] + to),
            subject: head.subjects.first?.text,
            inReplyTo: context.inReplyTo,
            parts: isBare ? [] : parts
        )
    }

    private static func timestamp(_ time: CPIM.Timestamp) -> MessagingCore.Timestamp {
        MessagingCore.Timestamp(rawValue: time.unixSeconds * 1000 + Int64(time.nanosecond / 1_000_000))
    }

    private static func isComposing(_ bytes: [UInt8]) throws -> Bool {
        do {
            return try IsComposingDocument(parsing: bytes).state == .active
        } catch {
            throw Refusal(.invalidMessage, "a status that cannot be read")
        }
    }

    private static func reports(_ head: CPIMMessage) -> [Report] {
        guard let request = DispositionRequest(head) else { return [] }
        var reports: [Report] = []
        if request.wants(.positiveDelivery) { reports.append(.delivered) }
        if request.wants(.display) { reports.append(.displayed) }
        return reports
    }

    private static func report(_ bytes: [UInt8]) throws -> (message: MessageID, disposition: Disposition)? {
        let document: IMDNDocument
        do {
            document = try IMDNDocument(parsing: bytes)
        } catch {
            throw Refusal(.invalidMessage, "a notification that cannot be read")
        }
        let disposition: Disposition
        switch document.notification {
        case .delivery(.delivered): disposition = .delivered
        case .display(.displayed): disposition = .displayed
        case .delivery(.failed), .display(.failed): disposition = .failed
        // What intermediaries do is nobody's business here.
        default: return nil
        }
        return (try MessageID(document.messageID), disposition)
    }

    /// The name of a file, if it is one that may be shown.
    private static func fileName(_ entity: MIMEEntity) -> String? {
        guard let text = entity.header("Content-Disposition"), let value = try? MediaType("disposition/\(text)") else {
            return nil
        }
        let name: String?
        if let extended = value.parameter("filename*") {
            // RFC 8187: charset'language'octets.
            let pieces = extended.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
            name =
                pieces.count == 3 && pieces[0].lowercased() == "utf-8"
                ? PercentEncoding.decode(String(pieces[2]).utf8).flatMap { String(validating: $0, as: UTF8.self) } : nil
        } else {
            name = value.parameter("filename")
        }
        guard let name, (try? Envelope.validate(fileName: name)) != nil else { return nil }
        return name
    }
}
