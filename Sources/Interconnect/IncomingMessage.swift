import CPIM
import MessagingCore
import MessagingService
import XMLBodies

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
    /// The one file that it brings, if it was offered as such.
    private let offered: OfferedFile?
    private var check: OfferedFile.Check?

    /// What all of it is.
    private enum Form {
        case message
        /// A status of composing, without an envelope.
        case status
        /// The octets of a file, without an envelope.
        case file
    }

    private let form: Form

    /// - Parameters:
    ///   - size: the octets of all of it, if known.
    ///   - type: what it is; a message if nil.
    ///   - offered: the file that it has to be, or to contain.
    init(
        _ service: MessagingService,
        _ context: IncomingContext,
        size: Int64?,
        type: String? = nil,
        offered: OfferedFile? = nil
    ) {
        self.service = service
        self.context = context
        self.offered = offered
        check = offered.map(OfferedFile.Check.init)
        remaining = size
        let type = type?.lowercased() ?? CPIMMessage.contentType
        if offered != nil, !type.hasPrefix(CPIMMessage.contentType) {
            form = .file
        } else if context.isInConversation, type.hasPrefix(IsComposingDocument.contentType) {
            form = .status
            current = .text(type: IsComposingDocument.contentType, name: nil, [])
        } else {
            form = .message
        }
    }

    /// Takes the next octets.
    /// - Throws: ``Refusal``, or ``CPIMError`` when they are no message.
    mutating func take(_ bytes: [UInt8]) async throws {
        switch form {
        case .message: for event in try reader.feed(bytes) { try await take(event) }
        case .status: try await add(bytes[...])
        case .file:
            if let offered, current == nil { current = try await begin(offered, type: nil, bytes: remaining) }
            try await add(bytes[...])
        }
    }

    /// All of it is there.
    /// - Throws: as ``take(_:)``.
    mutating func finish() async throws -> Content {
        switch form {
        case .message: for event in try reader.finish() { try await take(event) }
        case .status: try await end()
        case .file:
            try await end()
            return .message(PeerText(envelope: context.envelope(parts), reports: []), files: files)
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
        let length = entity.header("Content-Length").flatMap { Int64($0) } ?? remaining
        if let offered { return try await begin(offered, type: essence, bytes: length) }
        let name = Self.fileName(entity)
        if isText(entity, essence, bytes: length)
            || [IMDNDocument.contentType, FileTransferInfo.contentType].contains(essence) || isComposing(essence)
        {
            return .text(type: essence, name: name, [])
        }
        return try await begin(type: essence, name: name, bytes: length)
    }

    /// The one that was offered, whatever type its octets come under.
    private func begin(_ offered: OfferedFile, type: String?, bytes: Int64?) async throws -> Part {
        guard files.isEmpty else { throw Refusal(.invalidMessage, "more than the one file that was offered") }
        return try await begin(
            type: offered.type ?? type ?? Self.unknownType,
            name: offered.name,
            bytes: offered.bytes ?? bytes
        )
    }

    private func begin(type: String, name: String?, bytes: Int64?) async throws -> Part {
        guard let bytes, bytes > 0 else { throw Refusal(.invalidMessage, "a file has to say its length") }
        let file = try await service.startFile(for: context.receiver, type: type, name: name, bytes: bytes)
        return .file(file, type: type, name: name, bytes: bytes, offset: 0)
    }

    /// Text that stands in the message. What is too long for that is a file, and so is an attachment that does not say that it
    /// is UTF-8: its octets are kept as they are.
    private func isText(_ entity: MIMEEntity, _ type: String, bytes: Int64?) -> Bool {
        guard type.hasPrefix("text/") else { return false }
        let charset = entity.effectiveMediaType.parameter("charset")?.lowercased()
        if let charset, !["utf-8", "us-ascii"].contains(charset) { return false }
        guard let bytes else { return true }
        let isAttached = entity.header("Content-Disposition")?.lowercased().hasPrefix("attachment") ?? false
        return bytes <= Limits.inlineTextBytes && (charset != nil || !isAttached)
    }

    private static let unknownType = "application/octet-stream"

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
            check?.take(bytes)
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
            try check?.finish()
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
        if context.isInConversation || offered != nil, sender.domain == Self.nobody { sender = context.sender }
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
}
