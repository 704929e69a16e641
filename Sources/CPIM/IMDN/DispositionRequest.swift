internal import ByteGrammar

/// What the sender of a message wants to be told about it (RFC 5438 section 6).
public struct DispositionRequest: Sendable, Hashable {
    /// A kind of report, as an open set.
    public struct Kind: RawRepresentable, Sendable, Hashable {
        /// The text in Disposition-Notification.
        public let rawValue: String

        /// Makes a kind from its text.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// When the message was delivered.
        public static let positiveDelivery = Self(rawValue: "positive-delivery")
        /// When it could not be delivered.
        public static let negativeDelivery = Self(rawValue: "negative-delivery")
        /// What intermediaries did with it.
        public static let processing = Self(rawValue: "processing")
        /// When it was shown.
        public static let display = Self(rawValue: "display")
    }

    /// The Message-ID, taken verbatim.
    public var messageID: String
    /// The kinds of report wanted, in the order of the header; unknown ones are kept.
    public var kinds: [Kind]
    /// The address that the sender used, when an intermediary changed it (Original-To).
    public var originalTo: CPIMAddress?
    /// The intermediaries through which reports must go back, topmost first (IMDN-Record-Route).
    public var recordRoute: [CPIMAddress]

    /// Makes a request.
    public init(
        messageID: String,
        kinds: [Kind],
        originalTo: CPIMAddress? = nil,
        recordRoute: [CPIMAddress] = []
    ) {
        self.messageID = messageID
        self.kinds = kinds
        self.originalTo = originalTo
        self.recordRoute = recordRoute
    }

    /// Reads the request of a message; nil when the message has no Message-ID.
    ///
    /// The prefix of the headers has no meaning of its own: they are found by their namespace. A message that is a
    /// notification itself asks for nothing (RFC 5438 section 7.2.1: no report about a report).
    public init?(_ message: CPIMMessage) {
        let imdn = CPIMNamespace.imdn
        guard let messageID = message.value(of: "Message-ID", in: imdn), !messageID.isEmpty else { return nil }
        self.messageID = messageID
        self.kinds = []
        if !message.isNotification {
            for header in message.headers(named: "Disposition-Notification", in: imdn) {
                for word in header.rawValue.split(separator: UInt8(ascii: ",")) {
                    // Each kind may have parameters.
                    let kind = ByteText.string(ByteText.trim(word.prefix { $0 != UInt8(ascii: ";") })).lowercased()
                    if !kind.isEmpty, !self.kinds.contains(Kind(rawValue: kind)) {
                        self.kinds.append(Kind(rawValue: kind))
                    }
                }
            }
        }
        self.originalTo = message.headers(named: "Original-To", in: imdn).lazy.compactMap { try? CPIMAddress($0) }.first
        self.recordRoute = message.headers(named: "IMDN-Record-Route", in: imdn).compactMap { try? CPIMAddress($0) }
    }

    /// Whether a kind of report is wanted.
    public func wants(_ kind: Kind) -> Bool { self.kinds.contains(kind) }

    /// The headers to add to a message, with the declaration of their namespace first.
    ///
    /// A message with such a request must have a DateTime too (RFC 5438 section 7.1.1.1).
    public var headers: [CPIMHeader] {
        var headers = [
            CPIMHeader("NS", encodedValue: "imdn <\(CPIMNamespace.imdn)>"),
            CPIMHeader("Message-ID", prefix: "imdn", value: self.messageID),
        ]
        if !self.kinds.isEmpty {
            let kinds = self.kinds.map(\.rawValue).joined(separator: ", ")
            headers.append(CPIMHeader("Disposition-Notification", prefix: "imdn", value: kinds))
        }
        if let originalTo = self.originalTo {
            headers.append(CPIMHeader("Original-To", prefix: "imdn", address: originalTo))
        }
        headers += self.recordRoute.map { CPIMHeader("IMDN-Record-Route", prefix: "imdn", address: $0) }
        return headers
    }
}

extension CPIMMessage {
    /// Whether the message is a disposition notification: one in its content, or several in a multipart.
    ///
    /// A missing `Content-Disposition: notification` is tolerated, as most do.
    public var isNotification: Bool {
        let type = self.content.effectiveMediaType
        if type.essence == IMDNReport.contentType { return true }
        guard type.type == "multipart", let leaves = try? self.content.leaves(), !leaves.isEmpty else { return false }
        return leaves.allSatisfy { $0.effectiveMediaType.essence == IMDNReport.contentType }
    }
}
