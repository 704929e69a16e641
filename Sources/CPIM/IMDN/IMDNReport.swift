public import XMLBodies

/// Makes and reads the messages that carry disposition notifications (RFC 5438 sections 7.2 and 8).
public enum IMDNReport {
    /// The media type of a notification.
    public static let contentType = IMDNDocument.contentType

    /// Makes the message that reports on another.
    ///
    /// - Parameters:
    ///   - notification: what is reported.
    ///   - original: the message reported on.
    ///   - recipient: the address that reports.
    ///   - messageID: the identifier of the report itself.
    ///   - dateTime: when the report is made.
    /// - Returns: the message: To is the From of the original; IMDN-Record-Route of the original became IMDN-Route.
    /// - Throws: ``CPIMError`` when the original is a notification itself, or lacks its Message-ID or From.
    public static func message(
        _ notification: IMDNDocument.Notification,
        on original: CPIMMessage,
        from recipient: CPIMAddress,
        messageID: String,
        dateTime: Timestamp
    ) throws(CPIMError) -> CPIMMessage {
        guard !original.isNotification else {
            throw CPIMError(.unexpectedType, "no notification about a notification")
        }
        guard let request = DispositionRequest(original), let sender = original.from else {
            throw CPIMError(.missingHeader, "Message-ID and From of the message reported on")
        }
        let document = IMDNDocument(
            messageID: request.messageID,
            dateTime: original.value(of: "DateTime"),
            recipientURI: recipient.uri,
            originalRecipientURI: request.originalTo?.uri ?? recipient.uri,
            subject: original.subjects.first?.text,
            notification: notification
        )
        return Self.message(
            Self.entity(document),
            from: recipient,
            to: sender,
            route: request.recordRoute,
            messageID: messageID,
            dateTime: dateTime
        )
    }

    /// Makes one message of several notifications (RFC 5438 section 8.3).
    ///
    /// - Parameters:
    ///   - documents: the notifications, in order; at least one.
    ///   - intermediary: who collected them.
    ///   - sender: to whom they go.
    ///   - route: the intermediaries to pass, topmost first.
    ///   - messageID: the identifier of the report itself; the boundary is made from it.
    ///   - dateTime: when the report is made.
    public static func aggregate(
        _ documents: [IMDNDocument],
        from intermediary: CPIMAddress,
        to sender: CPIMAddress,
        route: [CPIMAddress] = [],
        messageID: String,
        dateTime: Timestamp
    ) -> CPIMMessage {
        let parts = documents.map(Self.entity)
        let boundary = Multipart.boundary(for: parts, seed: messageID)
        var content = Multipart(subtype: "mixed", boundary: boundary, parts: parts).entity
        content.headers.append(MIMEHeader("Content-Disposition", "notification"))
        return Self.message(
            content,
            from: intermediary,
            to: sender,
            route: route,
            messageID: messageID,
            dateTime: dateTime
        )
    }

    private static func entity(_ document: IMDNDocument) -> MIMEEntity {
        let headers = [
            MIMEHeader("Content-Type", self.contentType), MIMEHeader("Content-Disposition", "notification"),
        ]
        return MIMEEntity(headers: headers, body: document.bytes)
    }

    private static func message(
        _ content: MIMEEntity,
        from: CPIMAddress,
        to: CPIMAddress,
        route: [CPIMAddress],
        messageID: String,
        dateTime: Timestamp
    ) -> CPIMMessage {
        var headers = [
            CPIMHeader("From", address: from),
            CPIMHeader("To", address: to),
            CPIMHeader("DateTime", value: dateTime.text),
        ]
        headers += DispositionRequest(messageID: messageID, kinds: []).headers
        headers += route.map { CPIMHeader("IMDN-Route", prefix: "imdn", address: $0) }
        return CPIMMessage(headers: headers, content: content)
    }

    /// Reads the notifications that a message carries: one, or those of an aggregate.
    ///
    /// - Throws: ``CPIMError`` when the message is no notification or its content is broken; a broken document gives
    ///   code `unexpectedType` with the reason of the XML reader.
    public static func notifications(
        in message: CPIMMessage,
        limits: CPIMLimits = .standard
    ) throws(CPIMError) -> [IMDNDocument] {
        var documents: [IMDNDocument] = []
        for leaf in try message.content.leaves(limits: limits) {
            guard leaf.effectiveMediaType.essence == self.contentType else {
                throw CPIMError(.unexpectedType, "\(self.contentType), not \(leaf.effectiveMediaType.essence)")
            }
            let body = try leaf.decodedBody(limits: limits)
            do {
                documents.append(try IMDNDocument(parsing: body))
            } catch {
                throw CPIMError(.unexpectedType, "a notification: \(error)")
            }
        }
        return documents
    }

    /// Where a message that carries a notification goes next: the top of IMDN-Route, else To.
    public static func nextHop(of message: CPIMMessage) -> String? {
        Self.route(of: message).first?.uri ?? message.to.first?.uri
    }

    /// The intermediaries that a notification still has to pass, topmost first.
    public static func route(of message: CPIMMessage) -> [CPIMAddress] {
        message.headers(named: "IMDN-Route", in: CPIMNamespace.imdn).compactMap { try? CPIMAddress($0) }
    }

    /// The notification as an intermediary sends it on: without the topmost IMDN-Route when that names it.
    public static func forwarded(_ message: CPIMMessage, by uri: String) -> CPIMMessage {
        let top = message.headers(named: "IMDN-Route", in: CPIMNamespace.imdn).first
        guard let top, let address = try? CPIMAddress(top), address.uri == uri,
            let index = message.headers.firstIndex(of: top)
        else { return message }
        var message = message
        message.headers.remove(at: index)
        return message
    }
}
