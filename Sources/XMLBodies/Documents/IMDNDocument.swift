/// A disposition notification, `message/imdn+xml` (RFC 5438 section 11).
public struct IMDNDocument: XMLDocument {
    /// What is reported.
    public enum Notification: Sendable, Equatable {
        /// Whether the message reached the recipient.
        case delivery(Status)
        /// Whether it was shown.
        case display(Status)
        /// What an intermediary did with it; recipients never send this.
        case processing(Status)

        /// The name of the element that carries it.
        public var elementName: String {
            switch self {
            case .delivery: "delivery-notification"
            case .display: "display-notification"
            case .processing: "processing-notification"
            }
        }

        /// The status inside.
        public var status: Status {
            switch self {
            case .delivery(let status), .display(let status), .processing(let status): status
            }
        }
    }

    /// The status of a notification, as an open set.
    public struct Status: RawRepresentable, Sendable, Hashable {
        /// The local name of the element inside `<status>`.
        public let rawValue: String

        /// Makes a status from its element's local name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The message was delivered (delivery).
        public static let delivered = Self(rawValue: "delivered")
        /// The message could not be delivered (delivery).
        public static let failed = Self(rawValue: "failed")
        /// The message was shown (display).
        public static let displayed = Self(rawValue: "displayed")
        /// The message was processed (processing).
        public static let processed = Self(rawValue: "processed")
        /// The message was stored (processing).
        public static let stored = Self(rawValue: "stored")
        /// The report may not be told.
        public static let forbidden = Self(rawValue: "forbidden")
        /// An error occurred.
        public static let error = Self(rawValue: "error")
    }

    /// The media type.
    public static let contentType = "message/imdn+xml"
    /// The root element.
    public static let rootName = XMLName("imdn", in: "urn:ietf:params:xml:ns:imdn")

    private static let kinds = ["delivery-notification", "display-notification", "processing-notification"]

    /// The Message-ID of the message reported on.
    public var messageID: String
    /// The DateTime of the message reported on (not of the report), as RFC 3339 text.
    public var dateTime: String?
    /// The address of the recipient that reports.
    public var recipientURI: String?
    /// The address that the sender used.
    public var originalRecipientURI: String?
    /// The subject of the message reported on.
    public var subject: String?
    /// What is reported; nil when the document holds only an unknown kind of notification.
    public var notification: Notification?
    /// Elements beyond RFC 5438, carried untouched.
    public var extensions: [BodyElement]

    /// Makes a notification.
    public init(
        messageID: String,
        dateTime: String?,
        recipientURI: String?,
        originalRecipientURI: String? = nil,
        subject: String? = nil,
        notification: Notification?,
        extensions: [BodyElement] = []
    ) {
        self.messageID = messageID
        self.dateTime = dateTime
        self.recipientURI = recipientURI
        self.originalRecipientURI = originalRecipientURI
        self.subject = subject
        self.notification = notification
        self.extensions = extensions
    }

    /// Reads a notification; of several in one document the first counts.
    ///
    /// - Throws: ``XMLError`` when the message-id is absent or a known notification has no status.
    public init(element: BodyElement) throws(XMLError) {
        self.messageID = try element.requiredToken("message-id")
        self.dateTime = element.tokenOfFirst("datetime")
        self.recipientURI = element.tokenOfFirst("recipient-uri")
        self.originalRecipientURI = element.tokenOfFirst("original-recipient-uri")
        self.subject = element.first("subject")?.text
        self.notification = nil
        for kind in Self.kinds {
            guard let holder = element.first(kind) else { continue }
            guard let child = holder.first("status")?.elements.first else {
                throw XMLError(.missingElement, "a status in <\(kind)>")
            }
            let status = Status(rawValue: child.name.local)
            switch kind {
            case "delivery-notification": self.notification = .delivery(status)
            case "display-notification": self.notification = .display(status)
            default: self.notification = .processing(status)
            }
            break
        }
        let known = ["message-id", "datetime", "recipient-uri", "original-recipient-uri", "subject"]
        self.extensions = element.elements(except: Set(known + Self.kinds))
    }

    /// The root element.
    public var element: BodyElement {
        var root = BodyElement(Self.rootName)
        root.append("message-id", text: self.messageID)
        root.append("datetime", text: self.dateTime)
        root.append("recipient-uri", text: self.recipientURI)
        root.append("original-recipient-uri", text: self.originalRecipientURI)
        root.append("subject", text: self.subject)
        if let notification = self.notification {
            var holder = BodyElement(XMLName(notification.elementName, in: root.name.namespace))
            var status = BodyElement(XMLName("status", in: root.name.namespace))
            status.append(BodyElement(XMLName(notification.status.rawValue, in: root.name.namespace)))
            holder.append(status)
            root.append(holder)
        }
        root.append(self.extensions)
        return root
    }
}
